"""A loss surface with repeated tokens: further epochs, and params beyond what the unique tokens feed, are worth less.

Source: Muennighoff et al. 2023, arXiv:2305.16264, eqs. 5 and 6. The law's own loss is asked at the effective params and
tokens; how many params unique tokens feed (U_N) comes from the law's own frontier; the two decay constants are theirs.
"""

import math
from typing import NamedTuple

from scaling_cli.core.balance import params_for_tokens
from scaling_cli.core.duals import Value, exp, log, maximum, minimum, power, value_of
from scaling_cli.core.frontier import Frontier
from scaling_cli.core.laws import Law
from scaling_cli.core.relations import Settings
from scaling_cli.core.surface import Surface

STEP = 2.0  # factor of tokens over which the frontier's slope is taken


class Decay(NamedTuple):
    """How fast repeats (R_D) and params beyond those that unique tokens feed (R_N) lose their worth."""

    tokens: float
    params: float


class RepeatedSurface(Surface):
    """The surface of a law that knows nothing of repeats, with so many unique tokens.

    Args:
        law: the law.
        settings: values of its variables.
        unique_tokens: U, a count or an array of them.
        decay: R_D and R_N.
    """

    def __init__(self, law: Law, settings: Settings, *, unique_tokens: Value, decay: Decay) -> None:
        super().__init__(law, settings)
        self.unique_tokens = unique_tokens
        self.decay = decay
        self._split, self._split_known = None, True  # the optimum is no power law any more
        self.fed, self.slope = _fed_params(law, settings, unique_tokens)

    def loss(self, params: Value, tokens: Value) -> Value:
        """Return the loss of params on tokens of which only some are unique."""
        return super().loss(self.effective_params(params, tokens), self.effective_tokens(tokens))

    def effective_tokens(self, tokens: Value) -> Value:
        """Return the unique tokens that are worth as much as the tokens seen."""
        unique = _lower(tokens, self.unique_tokens)
        return tokens if unique is tokens else _worth(tokens, unique, self.decay.tokens)

    def effective_params(self, params: Value, tokens: Value) -> Value:
        """Return the params that are worth as much where tokens abound."""
        unique = _lower(tokens, self.unique_tokens)
        all_fed = unique is self.unique_tokens
        fed = self.fed if all_fed else self.fed * power(unique / self.unique_tokens, self.slope)
        fed = _lower(params, fed)
        return params if fed is params else _worth(params, fed, self.decay.params)


def _worth(size: Value, full: Value, decay: float) -> Value:
    """Return the size at full worth that is worth as much as one of which only some is."""
    beyond = size / full - 1.0
    beyond = beyond if isinstance(value_of(beyond), float) else maximum(beyond, 0.0)
    return full + full * decay * (1.0 - exp(-beyond / decay))


def _lower(a: Value, b: Value) -> Value:
    """Return the lower of two; of floats, even with slopes, the very one, which is faster than a new one."""
    x, y = value_of(a), value_of(b)
    if isinstance(x, float) and isinstance(y, float):
        return a if x <= y else b
    return minimum(a, b)


def _fed_params(law: Law, settings: Settings, unique_tokens: Value) -> tuple[Value, Value]:
    """Return the params whose optimum is at the unique tokens, and how they grow with tokens (an exponent)."""
    at, beyond = (_optimal_params(law, settings, tokens) for tokens in (unique_tokens, STEP * unique_tokens))
    return at, log(beyond / at) / math.log(STEP)


def _optimal_params(law: Law, settings: Settings, tokens: Value) -> Value:
    """Return the params of the law's own frontier at tokens: as it states them, or else by its loss."""
    frontier = Frontier(Surface(law, settings))
    if frontier.states_split:
        return frontier.split(frontier.flops_for_tokens(tokens))[0]
    return params_for_tokens(frontier.surface, tokens)
