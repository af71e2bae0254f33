"""The runs that a plan's limits allow: what each limit leaves, and how far a run keeps it.

Every limit bounds params, tokens, their ratio, training compute, lifetime cost or loss. On the logarithms of params and
tokens each is convex where the loss and the compute are sums of powers, and so is the region that they share.
"""

import math
from typing import NamedTuple

from scaling_cli.core.demands import INFERENCE_FLOPS, Demands, Limit
from scaling_cli.core.duals import Dual, Value, log, maximum, minimum, slope_of, value_of
from scaling_cli.core.surface import LARGEST, Surface
from scaling_cli.core.sweeps import is_array
from scaling_cli.errors import NoAnswer

OF_TOKENS = ("tokens", "ratio", "compute", "lifetime", "dollars")  # what bounds the tokens of given params
ALMOST = 1.0 - 1e-9  # of the params whose inference alone takes all that is allowed


class Bound(NamedTuple):
    """A limit in the terms of what it bounds: `kind` is one of demands.KINDS' values, `value` its end."""

    kind: str
    value: Value
    limit: Limit


class Region:
    """The allowed runs of a surface under demands.

    Args:
        surface: whose flops and loss count.
        demands: limits and what they rest on.
        flops: training compute that is spent exactly; None where it is free.
    """

    def __init__(self, surface: Surface, demands: Demands, *, flops: Value | None = None) -> None:
        self.surface = surface
        self.demands = demands
        self.flops = flops
        self.dollars = demands.dollar_weights() or (1.0, 1.0)
        self.bounds = [
            Bound(limit.kind, limit.value / demands.factor(limit.name), limit) for limit in demands.sought_limits
        ]
        self.ceilings = [bound for bound in self.bounds if bound.kind in OF_TOKENS and bound.limit.is_max]

    # tokens by params

    def tokens_at(self, bound: Bound, params: Value) -> Value:
        """Return the tokens at which a run of params meets a bound exactly."""
        if bound.kind == "tokens":
            return bound.value + 0.0 * params
        if bound.kind == "ratio":
            return bound.value * params
        if bound.kind == "compute":
            return self.tokens_for(bound.value + 0.0 * params, params)
        training, inference = (1.0, 1.0) if bound.kind == "lifetime" else self.dollars
        rest = (bound.value - inference * self.inference_flops(params)) / training
        if not is_array(value_of(rest)) and value_of(rest) <= 0.0:
            raise NoAnswer("inference alone takes more than the limit")
        return self.tokens_for(rest, params)

    def inference_flops(self, params: Value) -> Value:
        """Return the FLOPs of the demanded inference tokens."""
        tokens = self.demands.inference_tokens
        return INFERENCE_FLOPS * params * (0.0 if tokens is None else tokens)

    def tokens_for(self, flops: Value, params: Value) -> Value:
        """Return the tokens that training FLOPs leave for params; both may carry slopes."""
        if "flops" not in self.surface.law.relations or not isinstance(params, Dual):
            return self.surface.tokens_for(flops, params)
        tokens = self.surface.tokens_for(value_of(flops), params.value)
        by_params = slope_of(self.surface.flops(params, tokens))
        by_tokens = slope_of(self.surface.flops(params.value, Dual(tokens, 1.0)))
        return Dual(tokens, (slope_of(flops) - by_params) / by_tokens)

    def most_tokens(self, params: Value) -> Value:
        """Return the most tokens that every ceiling allows; inf where there is none."""
        return minimum(math.inf, *(self.tokens_at(bound, params) for bound in self.ceilings))

    def fewest_tokens(self, params: Value) -> Value:
        """Return the fewest tokens that every floor but that of the loss allows; 0 where there is none."""
        floors = (bound for bound in self.bounds if bound.kind in OF_TOKENS and not bound.limit.is_max)
        return maximum(0.0, *(self.tokens_at(bound, params) for bound in floors))

    def spent(self, params: Value) -> Value:
        """Return the tokens of a run of params: what the compute leaves where it is given, else the most allowed."""
        return self.most_tokens(params) if self.flops is None else self.tokens_for(self.flops + 0.0 * params, params)

    # how a run keeps the limits

    def amount(self, kind: str, params: Value, tokens: Value) -> Value:
        """Return what a run has of what a limit bounds."""
        if kind in ("params", "tokens"):
            return params if kind == "params" else tokens
        if kind == "ratio":
            return tokens / params
        if kind == "loss":
            return self.surface.loss(params, tokens)
        flops = self.surface.flops(params, tokens)
        if kind == "compute":
            return flops
        training, inference = (1.0, 1.0) if kind == "lifetime" else self.dollars
        return training * flops + inference * self.inference_flops(params)

    def margin(self, bound: Bound, params: Value, tokens: Value) -> Value:
        """Return by how much a run keeps a bound, concave in its logarithms; negative where it is broken."""
        amount = self.amount(bound.kind, params, tokens)
        if bound.kind == "loss":
            return 1.0 - amount / bound.value
        return log(bound.value / amount) if bound.limit.is_max else log(amount / bound.value)

    def slack(self, params: Value, tokens: Value, *, but: str = "") -> Value:
        """Return the margin of the bound that a run keeps least, but for bounds of one kind."""
        return minimum(LARGEST, *(self.margin(bound, params, tokens) for bound in self.bounds if bound.kind != but))

    def cost(self, params: Value, tokens: Value, weights: tuple[Value, Value]) -> Value:
        """Return what training and inference take, each FLOP by its weight."""
        return weights[0] * self.surface.flops(params, tokens) + weights[1] * self.inference_flops(params)

    # ends

    @property
    def params_range(self) -> tuple[Value, Value]:
        """The fewest and the most params that limits on params allow, and one and inf where there are none."""
        mine = [bound for bound in self.bounds if bound.kind == "params"]
        low = maximum(1.0, *(bound.value for bound in mine if not bound.limit.is_max))
        return low, minimum(math.inf, *(bound.value for bound in mine if bound.limit.is_max))

    @property
    def most_params(self) -> Value:
        """The params beyond which no run keeps the limits on tokens and on cost over life; inf where there are none."""
        tokens = [bound.value for bound in self.ceilings if bound.kind == "tokens"]
        ratios = [bound.value for bound in self.bounds if bound.kind == "ratio" and not bound.limit.is_max]
        fed = minimum(math.inf, *tokens) / maximum(*ratios) if ratios else math.inf
        served = self.demands.inference_tokens
        if served is None:
            return fed
        weight = {"lifetime": 1.0, "dollars": self.dollars[1]}
        lives = [bound.value / weight[bound.kind] for bound in self.ceilings if bound.kind in weight]
        return minimum(fed, *(life * ALMOST / (INFERENCE_FLOPS * served) for life in lives))

    @property
    def budget(self) -> Value:
        """The most training compute that limits on compute or on cost over life leave; inf where there are none."""
        per_flop = {"compute": 1.0, "lifetime": 1.0, "dollars": self.dollars[0]}
        mine = [bound for bound in self.ceilings if bound.kind in per_flop]
        return minimum(math.inf, *(bound.value / per_flop[bound.kind] for bound in mine))

    @property
    def bounds_compute(self) -> bool:
        """Whether the limits leave only so much compute."""
        above = {bound.kind for bound in self.bounds if bound.limit.is_max}
        has_params = "params" in above or any(b.kind == "ratio" and not b.limit.is_max for b in self.bounds)
        return bool(above & {"compute", "lifetime", "dollars"}) or ("tokens" in above and has_params) or (
            {"params", "ratio"} <= above
        )  # fmt: skip

    @property
    def target(self) -> Value | None:
        """The lowest of the limits on loss; None where there is none."""
        losses = [bound.value for bound in self.bounds if bound.kind == "loss"]
        return minimum(*losses) if losses else None

    # what to say

    def broken(self, params: float, tokens: float, *, by: float = 0.0) -> list[str]:
        """Return the limits that a run breaks, or nearly meets where `by` is above zero, as texts."""
        return [bound.limit.text for bound in self.bounds if self._margin_or_none(bound, params, tokens) < by]

    def _margin_or_none(self, bound: Bound, params: float, tokens: float) -> float:
        try:
            return float(self.margin(bound, params, tokens))
        except (NoAnswer, ArithmeticError, ValueError):
            return -math.inf
