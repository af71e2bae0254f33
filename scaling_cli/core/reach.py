"""The runs that reach a loss: tokens by params, fast, for the many that a search over params asks."""

import math
from collections.abc import Callable

from scaling_cli.core.allowed import choose, every, no
from scaling_cli.core.duals import Dual, Value, exp, log, maximum, minimum, slope_of, value_of
from scaling_cli.core.surface import LARGEST, NEARLY_INFINITE, Surface
from scaling_cli.core.sweeps import is_array

USUAL = math.log(1e11)  # tokens, or params, to start from
NARROW = 1e-12  # e-folds: of a bracket in which rounding decides
STEPS = 60
FARTHEST = 10.0  # e-folds in one step
PRECISE = 1e-8  # of the last step in a logarithm; the error left is its square
ROUNDING = 1e-15  # of a loss
TINY = 1e-300
STEEP = -1e6  # e-folds of tokens per e-fold of params where no number of tokens is enough


class Isoloss:
    """The runs of one loss on a surface, each search beginning where the last one led.

    Args:
        surface: whose loss.
        loss: a loss, or an array of them.
        zero: 0.0, or an array of the shape of all answers.
    """

    def __init__(self, surface: Surface, loss: Value, zero: Value) -> None:
        self.surface = surface
        self.loss = loss + zero
        self.last: tuple[Value, Value, Value] = (zero, USUAL + zero, zero)  # log params, log tokens, slope

    def fewest_params(self) -> Value:
        """Return the params that reach the loss with infinitely many tokens; NaN where none do."""
        infinite = math.inf + 0.0 * self.loss
        floor = self.surface.loss_of(infinite, infinite)
        return exp(_solve(lambda params: self.surface.loss(params, NEARLY_INFINITE), floor, self.loss, USUAL))

    def tokens(self, params: Value) -> Value:
        """Return the tokens at which params reach the loss, with their slope where params carry one.

        Where params never do, or rounding hides it, as many tokens as there can be, the fewer the more params.
        """
        at = value_of(params)
        x = log(at)
        x0, y0, slope = self.last
        guess = y0 + slope * (x - x0)
        start = choose(guess == guess, minimum(maximum(guess, 0.0), LARGEST), USUAL)
        floor = self.surface.loss_of(at, math.inf)
        y = _solve(lambda tokens: self.surface.loss(at, tokens), floor, self.loss, start)
        never = (y != y) & (x == x)
        y = choose(never, LARGEST, y)
        tokens = exp(y)
        if not isinstance(params, Dual):
            return tokens
        by_params = slope_of(self.surface.loss(Dual(at, at), tokens))
        by_tokens = slope_of(self.surface.loss(at, Dual(tokens, tokens)))
        slope = -by_params / choose(by_tokens < 0.0, by_tokens, math.nan)
        slope = choose(never | (slope != slope), STEEP, slope)
        self.last = (x, y, slope)
        return Dual(tokens, tokens * slope * params.slope / at)


def _solve(curve: Callable[[Dual], Value], floor: Value, loss: Value, start: Value) -> Value:
    """Return the logarithm at which a falling curve has a loss; NaN where it never does.

    Newton's method on the logarithm of what the loss lies above its floor, a straight line for a power law, within a
    bracket.
    """
    y = choose(loss - floor > ROUNDING * loss, start + 0.0 * loss, math.nan)
    low, high = 0.0 * y, 0.0 * y + LARGEST
    for _ in range(STEPS):
        at = curve(Dual(exp(y), exp(y)))
        value, slope = value_of(at), slope_of(at)
        short = value > loss
        low, high = choose(short, y, low), choose(no(short), y, high)
        above = value - floor
        told = (above > ROUNDING * loss) & (slope < 0.0)  # else there is no telling how far beyond
        step = log(maximum((loss - floor) / maximum(above, TINY), TINY)) * above / choose(told, slope, math.nan)
        settled = abs(step) <= PRECISE
        near = y + minimum(maximum(step, -FARTHEST), FARTHEST)
        y = choose(settled | ((near > low) & (near < high)), near, 0.5 * (low + high))
        if every(settled | (y != y) | no(high - low > NARROW)):
            break
    return y if not is_array(y) else choose(abs(y) < LARGEST, y, math.nan)
