"""The tokens that take params to a loss, fast: for the many that a search over params asks."""

import math

from scaling_cli.core.duals import Dual, Value, exp, log, maximum, minimum, only_where, slope_of, value_of
from scaling_cli.core.surface import Surface
from scaling_cli.core.sweeps import is_array, quietly

USUAL = math.log(1e11)  # tokens to start from
STEPS = 30
FARTHEST = 10.0  # e-folds in one step
PRECISE = 1e-13  # of the last step in log tokens
TINY = 1e-300


def tokens_at_loss(surface: Surface, params: Value, loss: Value) -> Value:
    """Return the tokens at which params reach a loss; NaN for elements that never do.

    Raises: NoAnswer where a float never does.
    """
    if is_array(params) or is_array(loss):
        array = params if is_array(params) else loss
        return quietly(lambda: exp(_newton(surface, params + 0.0 * loss, loss)), array)
    try:
        y = _newton(surface, params, loss) if loss > surface.loss_of(params, math.inf) else math.nan
    except (ArithmeticError, ValueError):
        y = math.nan
    return surface.tokens_at_loss(params, loss) if math.isnan(y) else math.exp(y)


def _newton(surface: Surface, params: Value, loss: Value) -> Value:
    """Solve for log tokens on the logarithm of what the loss lies above its floor: a straight line for a power law."""
    floor = surface.loss_of(params, math.inf)
    wanted = log(only_where(loss - floor > 0.0, loss - floor))
    y = USUAL + 0.0 * params
    step = y
    for _ in range(STEPS):
        at = surface.loss(params, Dual(exp(y), exp(y)))
        above = maximum(value_of(at) - floor, TINY)
        step = minimum(maximum((wanted - log(above)) * above / slope_of(at), -FARTHEST), FARTHEST)
        y = y + step
        if _settled(step):
            break
    return only_where(abs(step) <= PRECISE * 100.0, y)


def _settled(step: Value) -> bool:
    return bool(abs(step) <= PRECISE) if isinstance(step, float) else bool((~(abs(step) > PRECISE)).all())
