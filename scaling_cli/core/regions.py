"""The runs that a plan's limits allow: for every number of params, the fewest and the most tokens.

All limits are put as bounds on params, tokens, their ratio, training compute, lifetime cost or loss, each of which
bounds the tokens of a run of given params from one side.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

from scaling_cli.core.demands import INFERENCE_FLOPS, KINDS, Demands, Limit
from scaling_cli.core.duals import Dual, Value, log, maximum, minimum, slope_of, value_of
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.reach import tokens_at_loss
from scaling_cli.core.surface import LARGEST, Surface
from scaling_cli.core.sweeps import is_array
from scaling_cli.errors import NoAnswer


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
        self.bounds = [
            Bound(KINDS[limit.name], limit.value / demands.factor(limit.name), limit) for limit in demands.limits
        ]

    # tokens of a run by each kind of bound

    def tokens_at(self, bound: Bound, params: Value) -> Value:
        """Return the tokens at which a run of params meets a bound exactly; inf where any number of tokens keeps it."""
        if bound.kind == "tokens":
            return bound.value + 0.0 * params
        if bound.kind == "ratio":
            return bound.value * params
        if bound.kind == "compute":
            return self.tokens_for(bound.value + 0.0 * params, params)
        if bound.kind == "loss":
            return self.tokens_at_loss(bound.value, params)
        training, inference = (1.0, 1.0) if bound.kind == "lifetime" else self.demands.dollar_weights() or (1.0, 1.0)
        rest = (bound.value - inference * self.inference_flops(params)) / training
        if not is_array(rest) and value_of(rest) <= 0.0:
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

    def tokens_at_loss(self, loss: Value, params: Value) -> Value:
        """Return the tokens that take params to a loss; params may carry a slope."""
        tokens = tokens_at_loss(self.surface, value_of(params), loss)
        if not isinstance(params, Dual):
            return tokens
        by_params = slope_of(self.surface.loss(params, tokens))
        by_tokens = slope_of(self.surface.loss(params.value, Dual(tokens, 1.0)))
        return Dual(tokens, -by_params / by_tokens)

    # the interval of tokens

    def ceilings(self) -> Iterator[Bound]:
        """Yield the bounds from above on tokens. A loss is bounded from below by fewer tokens."""
        for bound in self.bounds:
            if bound.kind != "params" and bound.limit.is_max != (bound.kind == "loss"):
                yield bound

    def floors(self) -> Iterator[Bound]:
        """Yield the bounds from below on tokens."""
        for bound in self.bounds:
            if bound.kind != "params" and bound.limit.is_max == (bound.kind == "loss"):
                yield bound

    def most_tokens(self, params: Value) -> Value:
        """Return the most tokens that every ceiling allows; inf where there is none."""
        return minimum(math.inf, *(self.tokens_at(bound, params) for bound in self.ceilings()))

    def fewest_tokens(self, params: Value) -> Value:
        """Return the fewest tokens that every floor allows; 0 where there is none."""
        return maximum(0.0, *(self.tokens_at(bound, params) for bound in self.floors()))

    def spent(self, params: Value) -> Value:
        """Return the tokens of a run of params: what the compute leaves where it is given, else the most allowed."""
        return self.most_tokens(params) if self.flops is None else self.tokens_for(self.flops + 0.0 * params, params)

    def slack(self, params: Value, tokens: Value, *, ceilings: bool = True, floors: bool = True) -> Value:
        """Return the logarithm of the factor by which a run keeps the limit it keeps least; negative where broken."""
        sides = [log(self.tokens_at(bound, params) / tokens) for bound in self.ceilings()] if ceilings else []
        sides += [log(tokens / self.tokens_at(bound, params)) for bound in self.floors()] if floors else []
        return minimum(LARGEST, *sides)

    def cost(self, params: Value, tokens: Value, weights: tuple[float, float]) -> Value:
        """Return what training and inference take, each FLOP by its weight."""
        return weights[0] * self.surface.flops(params, tokens) + weights[1] * self.inference_flops(params)

    # what to say when limits exclude each other

    def tightest(self, kind: str) -> Limit:
        """Return the lowest ceiling of a kind."""
        return min((b for b in self.bounds if b.kind == kind and b.limit.is_max), key=lambda b: b.value).limit

    def broken(self, params: float, tokens: float) -> list[str]:
        """Return the limits that a run breaks, as texts."""
        low, high = self.params_range
        found = [b.limit.text for b in self.bounds if b.kind == "params" and not low <= b.value <= high]
        for bound in self.bounds:
            if bound.kind == "params":
                is_broken = params > bound.value if bound.limit.is_max else params < bound.value
            else:
                is_broken = self._side(bound, params, tokens) < 0.0
            found += [bound.limit.text] if is_broken else []
        return list(dict.fromkeys(found))

    def clash(self, params: float) -> str:
        """Return the two limits that exclude each other most where the least is amiss, as text."""
        ceiling = self._extreme(self.ceilings(), params, least=True)
        floor = self._extreme(self.floors(), params, least=False)
        if self.flops is not None:
            budget = f"flops={format_quantity(self.flops, 'flops')}"
            tokens = self.tokens_for(self.flops, params)
            inside = floor is None or self._tokens_or(floor, params, math.inf) <= tokens
            other = ceiling if inside and ceiling is not None else floor
            return f"{budget} and {other.limit.text if other else self._params_text()}"
        parts = [bound.limit.text for bound in (floor, ceiling) if bound is not None]
        return " and ".join(parts if len(parts) > 1 else [*parts, self._params_text()])

    def _params_text(self) -> str:
        return " and ".join(b.limit.text for b in self.bounds if b.kind == "params") or "every limit"

    def _extreme(self, bounds: Iterator[Bound], params: float, *, least: bool) -> Bound | None:
        ranked = sorted(bounds, key=lambda bound: self._tokens_or(bound, params, 0.0 if least else math.inf))
        return (ranked[0] if least else ranked[-1]) if ranked else None

    def _tokens_or(self, bound: Bound, params: float, otherwise: float) -> float:
        try:
            return float(self.tokens_at(bound, params))
        except (NoAnswer, ArithmeticError, ValueError):
            return otherwise

    def _side(self, bound: Bound, params: float, tokens: float) -> float:
        is_ceiling = bound.limit.is_max != (bound.kind == "loss")
        at = self._tokens_or(bound, params, 0.0 if is_ceiling else math.inf)
        return at - tokens if is_ceiling else tokens - at

    @property
    def params_range(self) -> tuple[Value, Value]:
        """The fewest and the most params that limits on params allow; 0 and inf where there are none."""
        mine = [bound for bound in self.bounds if bound.kind == "params"]
        low = maximum(0.0, *(bound.value for bound in mine if not bound.limit.is_max))
        return low, minimum(math.inf, *(bound.value for bound in mine if bound.limit.is_max))

    @property
    def compute_ceiling(self) -> Value:
        """The most training compute that limits on it allow; inf where there are none."""
        return minimum(
            math.inf, *(bound.value for bound in self.bounds if bound.kind == "compute" and bound.limit.is_max)
        )

    @property
    def budget(self) -> Value:
        """The most training compute that limits on compute or on cost over life leave; inf where there are none."""
        dollars = self.demands.dollar_weights()
        per_flop = {"compute": 1.0, "lifetime": 1.0, "dollars": dollars[0] if dollars else 1.0}
        mine = [bound for bound in self.bounds if bound.kind in per_flop and bound.limit.is_max]
        return minimum(math.inf, *(bound.value / per_flop[bound.kind] for bound in mine))
