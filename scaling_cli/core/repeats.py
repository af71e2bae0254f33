"""A loss surface with repeated tokens: further epochs, and params beyond what the unique tokens feed, are worth less.

Source: Muennighoff et al. 2023, arXiv:2305.16264, eqs. 5 and 6. The law's own loss is asked at the effective params and
tokens; how many params unique tokens feed (U_N) comes from the law's own frontier; the two decay constants are theirs.
"""

import math
from typing import NamedTuple

from scaling_cli.core.duals import Value, exp, maximum, minimum, power
from scaling_cli.core.frontier import Frontier
from scaling_cli.core.laws import Law
from scaling_cli.core.relations import Settings
from scaling_cli.core.surface import Surface
from scaling_cli.core.sweeps import is_array

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
        unique = minimum(self.unique_tokens, tokens)
        repeats = maximum(tokens / unique - 1.0, 0.0)
        return unique + unique * self.decay.tokens * (1.0 - exp(-repeats / self.decay.tokens))

    def effective_params(self, params: Value, tokens: Value) -> Value:
        """Return the params that are worth as much where tokens abound."""
        unique = minimum(self.unique_tokens, tokens)
        fed = minimum(self.fed * power(unique / self.unique_tokens, self.slope), params)
        beyond = maximum(params / fed - 1.0, 0.0)
        return fed + fed * self.decay.params * (1.0 - exp(-beyond / self.decay.params))


def _fed_params(law: Law, settings: Settings, unique_tokens: Value) -> tuple[Value, float]:
    """Return the params whose optimum is at the unique tokens, and how they grow with tokens (an exponent)."""
    frontier = Frontier(Surface(law, settings))
    at = frontier.split(frontier.flops_for_tokens(unique_tokens))[0]
    typical = float(unique_tokens.flat[0]) if is_array(unique_tokens) else unique_tokens
    near, far = (frontier.split(frontier.flops_for_tokens(tokens))[0] for tokens in (typical, typical * STEP))
    return at, math.log(far / near) / math.log(STEP)
