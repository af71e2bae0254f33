"""Where params and tokens are in balance on a loss surface: where neither buys more for its cost than the other."""

from collections.abc import Callable

from scaling_cli.core.allowed import root
from scaling_cli.core.duals import Dual, Value, exp, log, only_where, slope_of
from scaling_cli.core.surface import Surface
from scaling_cli.errors import NoAnswer

Cost = Callable[[Value, Value], Value]
FEWEST, MOST = -15.0, 25.0  # e-folds of tokens per param between which a balance is sought


def pull(surface: Surface, cost: Cost, params: Value, tokens: Value) -> Value:
    """Return what is above zero where fewer params and more tokens would cost less for the same loss.

    Lagrange's condition on logarithms: at the least cost of a loss, the gradients of loss and cost are parallel.
    """
    more_params, more_tokens = Dual(params, params), Dual(tokens, tokens)
    by_params, by_tokens = slope_of(surface.loss(more_params, tokens)), slope_of(surface.loss(params, more_tokens))
    return by_params * slope_of(cost(params, more_tokens)) - by_tokens * slope_of(cost(more_params, tokens))


def params_for_tokens(surface: Surface, tokens: Value) -> Value:
    """Return the params for which tokens are optimal for training; NaN for elements without.

    Raises: NoAnswer for floats without.
    """
    y = log(tokens)
    return _found(surface, lambda x: pull(surface, surface.flops, exp(x), tokens), (y - MOST, y - FEWEST))


def tokens_for_params(surface: Surface, params: Value) -> Value:
    """Return the tokens that are optimal for params in training; NaN for elements without.

    Raises: NoAnswer for floats without.
    """
    x = log(params)
    return _found(surface, lambda y: -pull(surface, surface.flops, params, exp(y)), (x + FEWEST, x + MOST))


def _found(surface: Surface, function: Callable[[Value], Value], ends: tuple[Value, Value]) -> Value:
    x = root(function, *ends)
    inside = (x > ends[0]) & (x < ends[1])
    if isinstance(inside, bool) and not inside:
        raise NoAnswer(f"{surface.law.id} has no optimal split there", "give --flops with it")
    return exp(only_where(inside, x))
