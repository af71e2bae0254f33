"""Plans under demands: the run of least loss, or of least cost for a loss, among those that every limit allows.

Answered on the loss surface alone. Two questions cover all of them: for every number of params, spend up to the limits
and take the least loss; or train just long enough for a loss and take the least cost.
"""

import math
from collections.abc import Callable, Mapping

from scaling_cli.core.allowed import least_allowed, most_allowed
from scaling_cli.core.demands import KINDS, Demands, Limit
from scaling_cli.core.duals import Dual, Value, exp, log, maximum, minimum, only_where, slope_of
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.regions import Region
from scaling_cli.core.search import find_root
from scaling_cli.core.surface import LARGEST, MARGIN, Surface
from scaling_cli.core.sweeps import bisect, is_array
from scaling_cli.errors import InputError, NoAnswer

Run = tuple[Value, Value]  # params and tokens
KEPT = 1e-9  # relative: by so much a given run may miss a limit through rounding
SAME = 1e-12  # of two losses
NOTHING_BOUNDS = "nothing bounds the compute"


class Constrained:
    """A law's surface under demands.

    Args:
        plain: the surface where all tokens are unique.
        limited: the surface with the demanded unique tokens; the same where there are none.
    """

    def __init__(self, plain: Surface, limited: Surface) -> None:
        self.plain = plain
        self.limited = limited

    def surface(self, demands: Demands) -> Surface:
        """Return the surface on which demands are met."""
        return self.plain if demands.unique_tokens is None else self.limited

    def solve(self, known: Mapping[str, Value], demands: Demands) -> Run:
        """Return the params and tokens of the best run.

        Args:
            known: none of flops, params, tokens and loss, or one of them.
            demands: limits and the rest.

        Raises: InputError where nothing bounds the compute; NoAnswer where no run keeps every limit.
        """
        self._check_spent(known, demands)
        if "loss" in known:
            return self.cheapest(known["loss"], demands)
        if "params" in known:
            return self.at_params(known["params"], demands)
        if "tokens" in known:
            return self.at_tokens(known["tokens"], demands)
        if demands.inference_tokens is not None:
            return self.for_life(known.get("flops"), demands)
        return self.best(known.get("flops"), demands)

    def _check_spent(self, known: Mapping[str, Value], demands: Demands) -> None:
        """Raise InputError where the given compute takes more or less than a limit on it allows, naming both."""
        flops = known.get("flops")
        if not isinstance(flops, float) or demands.inference_tokens is not None:
            return
        for limit in demands.limits:
            if KINDS[limit.name] == "compute" and isinstance(limit.value, float):
                takes = flops * demands.factor(limit.name)
                if takes > limit.value * (1.0 + KEPT) if limit.is_max else takes < limit.value * (1.0 - KEPT):
                    amount = f"{_shown(takes, 'figure')} {limit.name}"
                    raise InputError(
                        f"{_shown(flops, 'flops')} FLOPs take {amount}, and {limit.text} does not allow that",
                        f"leave out --flops to spend up to {limit.text}, or change one of the two",
                    )

    def loss(self, run: Run, demands: Demands) -> Value:
        """Return the loss of a run."""
        return self.surface(demands).loss_of(*run)

    def best(self, flops: Value | None, demands: Demands) -> Run:
        """Return the run of least loss: at exactly so many training FLOPs, or spending up to the limits."""
        surface = self.surface(demands)
        region = Region(surface, demands, flops=flops)
        low, high = self._range(region, region.budget if flops is None else flops)

        def slack(x: Value) -> Value:
            params = exp(x)
            return region.slack(params, region.spent(params), ceilings=flops is not None)

        x = least_allowed(lambda x: surface.loss(exp(x), region.spent(exp(x))), slack, low, high)
        params = self._params(region, x, slack, (low, high))
        return params, region.spent(params)

    def cheapest(self, loss: Value, demands: Demands, *, training_only: bool = False) -> Run:
        """Return the run that reaches a loss at the least cost: training FLOPs, and inference where it is demanded."""
        goal = Limit("loss", loss, True, f"a loss of {loss:.6g}" if isinstance(loss, float) else "")
        region = Region(self.surface(demands), demands._replace(limits=(*demands.limits, goal)))
        if not is_array(loss) and loss <= (floor := region.surface.irreducible):
            hint = f"no run reaches it: the irreducible loss is {floor:.6g}; ask for a higher loss"
            raise NoAnswer(f"{region.surface.law.id}: a loss of {loss:.6g} is out of reach", hint)
        low, high = self._range(region, math.exp(LARGEST / 2.0))
        weights = (1.0, 0.0) if training_only else demands.lifetime_weights()

        def objective(x: Value) -> Value:
            params = exp(x)
            return log(region.cost(params, region.fewest_tokens(params), weights))

        def slack(x: Value) -> Value:
            params = exp(x)
            return region.slack(params, region.fewest_tokens(params), floors=False)

        x = least_allowed(objective, slack, low, high)
        params = self._params(region, x, slack, (low, high))
        return params, region.fewest_tokens(params)

    def for_life(self, flops: Value | None, demands: Demands) -> Run:
        """Return the run of least lifetime cost for the loss that its budget, or its limits, can pay for.

        A given budget sets the loss to be matched, and training may take more. Limits stay hard: then the loss gives
        way by as much as the cheapest design for life gives up within the compute limits alone. So the loss is the
        least that all limits allow plus what the demand is worth, and no demand, once dropped, leaves a higher one.
        """
        bare = demands._replace(limits=(), inference_tokens=None)
        if flops is not None:
            target = self.loss(self.best(flops, bare), demands)
            try:
                return self.cheapest(target, demands)
            except NoAnswer:
                if not self._bounds_compute(Region(self.surface(demands), demands)):
                    raise
        within = self.best(None, demands)
        least = self.loss(within, demands)
        target = least + self._given_up_for_life(demands) if flops is None else maximum(target, least)
        if not is_array(target) and target <= least * (1.0 + SAME):
            return within
        return self.cheapest(target, demands)

    def _given_up_for_life(self, demands: Demands) -> Value:
        """Return how much more loss than the optimum the cheapest design for life has, at the compute limits.

        Of the compute limits alone and of unlimited data, so that it does not depend on the other demands; 0 without
        such limits.
        """
        region = Region(
            self.plain, demands._replace(limits=tuple(d for d in demands.limits if KINDS[d.name] == "compute"))
        )
        flops = region.compute_ceiling
        if not is_array(flops) and flops == math.inf:
            return 0.0
        weights = demands.lifetime_weights()

        def pull(x: Value) -> Value:
            """Above zero where fewer params would cost more for the same loss (Lagrange's condition)."""
            params = exp(x)
            tokens = region.tokens_for(flops, params)
            surface = self.plain
            by_params = slope_of(surface.loss(Dual(params, params), tokens))
            by_tokens = slope_of(surface.loss(params, Dual(tokens, tokens)))
            more_params = slope_of(log(region.cost(Dual(params, params), tokens, weights)))
            more_tokens = slope_of(log(region.cost(params, Dual(tokens, tokens), weights)))
            return more_params * by_tokens - more_tokens * by_params

        high = log(self.plain.optimal_params(flops))
        if is_array(flops):
            x = bisect(pull, 0.0 * high, high)
        else:
            x = find_root(pull, 0.0, high) if pull(0.0) > 0.0 > pull(high) else high
        losses = [self.plain.loss_of(exp(at), self.plain.tokens_for(flops, exp(at))) for at in (x, high)]
        return maximum(losses[0] - losses[1], 0.0)

    def at_params(self, params: Value, demands: Demands) -> Run:
        """Return a run of given params: as many tokens as limits allow, else as many as are optimal."""
        region = Region(self.surface(demands), demands)
        tokens = region.most_tokens(params)
        if not is_array(tokens) and tokens == math.inf:
            flops = self._frontier_flops(lambda flops: log(self.plain.optimal_params(flops)), params)
            tokens = self.plain.tokens_for(flops, params)
        return self.checked((params, tokens), demands)

    def at_tokens(self, tokens: Value, demands: Demands) -> Run:
        """Return a run of given tokens: the params of least loss that limits allow, else the optimal ones."""
        surface = self.surface(demands)
        region = Region(surface, demands)
        if not self._bounds_params(region):
            split = lambda flops: log(self.plain.tokens_for(flops, self.plain.optimal_params(flops)))  # noqa: E731
            params = self.plain.params_for(self._frontier_flops(split, tokens), tokens)
            return self.checked((params, tokens), demands)
        low, high = self._range(region, region.budget)
        slack: Callable[[Value], Value] = lambda x: region.slack(exp(x), tokens)  # noqa: E731
        x = least_allowed(lambda x: surface.loss(exp(x), tokens), slack, low, high)
        return self._params(region, x, slack, (low, high)), tokens

    def checked(self, run: Run, demands: Demands) -> Run:
        """Return a given run.

        Raises: NoAnswer when it breaks a limit, naming both.
        """
        region = Region(self.surface(demands), demands)
        params, tokens = run
        low, high = region.params_range
        kept = minimum(region.slack(params, tokens), log(params / low) if low else math.inf, log(high / params))
        if is_array(kept):
            return only_where(kept >= -KEPT, params), only_where(kept >= -KEPT, tokens)
        if kept < -KEPT:
            raise NoAnswer(
                f"a run of {_shown(params, 'params')} params on {_shown(tokens, 'tokens')} tokens breaks "
                f"{' and '.join(region.broken(params, tokens))}", "change the run or the limit"
            )  # fmt: skip
        return run

    def _frontier_flops(self, curve: Callable[[Value], Value], target: Value) -> Value:
        from scaling_cli.core.frontier import Frontier  # only for a size that no limit bounds

        frontier = Frontier(self.plain, own=False)
        return frontier.flops_for(curve, log(target))

    # what every search shares

    def _range(self, region: Region, compute: Value) -> tuple[Value, Value]:
        """Return between which logarithms of params to search.

        Raises: InputError when nothing bounds them, or limits leave no room for one parameter.
        """
        low, high = region.params_range
        if not is_array(high) and high < 1.0:
            least = region.tightest("params")
            raise InputError(f"{least.text} leaves room for {high:.3g} parameters", "expected room for one at least")
        if not is_array(compute) and compute == math.inf and not self._bounds_compute(region):
            raise InputError(NOTHING_BOUNDS, "give --flops, or a limit: --gpu h100 --gpus 512 --max days=30")
        top = log(compute) + MARGIN if is_array(compute) or compute < math.inf else math.inf
        return log(maximum(low, 1.0)), minimum(log(high) if is_array(high) or high < math.inf else math.inf, top)

    def _bounds_compute(self, region: Region) -> bool:
        kinds = {bound.kind for bound in region.bounds if bound.limit.is_max}
        return bool(kinds & {"compute", "lifetime", "dollars"}) or {"params", "tokens"} <= kinds or (
            {"params", "ratio"} <= kinds
        )  # fmt: skip

    def _bounds_params(self, region: Region) -> bool:
        kinds = {bound.kind for bound in region.bounds if bound.limit.is_max}
        ratio = any(bound.kind == "ratio" and not bound.limit.is_max for bound in region.bounds)
        return ratio or bool(kinds & {"compute", "lifetime", "dollars", "params"})

    def _params(
        self, region: Region, x: Value | None, slack: Callable[[Value], Value], ends: tuple[Value, Value]
    ) -> Value:
        """Return exp(x), within the params allowed to the last digit.

        Raises: NoAnswer where x is None, naming the limits that exclude each other.
        """
        if x is None:
            low, high = ends
            top = math.exp(most_allowed(slack, low, high)) if low <= high else math.exp(low)
            raise NoAnswer(f"no run keeps {region.clash(top)}", "drop or move one of them")
        low, high = region.params_range
        return minimum(maximum(exp(x), low), high)


def _shown(value: Value, kind: str) -> str:
    return format_quantity(value, kind)
