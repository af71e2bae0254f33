"""Plans under demands: the run of least loss, or of least cost for a loss, among those that every limit allows.

Answered on the loss surface alone. Two questions cover all of them: for every number of params, spend up to the limits
and take the least loss; or train just long enough for a loss and take the least cost. Floats and arrays alike: an
element without an answer is NaN, a float without one is refused.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from scaling_cli.core.allowed import choose, every, least_allowed, no, root
from scaling_cli.core.balance import Cost, params_for_tokens, pull, tokens_for_params
from scaling_cli.core.clashes import check_spent, refuse_broken, refuse_empty
from scaling_cli.core.demands import KINDS, Demands
from scaling_cli.core.duals import Value, exp, log, maximum, minimum, only_where
from scaling_cli.core.reach import Isoloss
from scaling_cli.core.regions import Region
from scaling_cli.core.surface import LARGEST, MARGIN, Surface
from scaling_cli.core.sweeps import is_array
from scaling_cli.errors import InputError, NoAnswer

USUAL = 120.0  # FLOPs over the square of the params where a search starts: 20 tokens per param by 6ND
KEPT = 1e-9  # relative: by so much a given run may miss a limit through rounding
SAME = 1e-12  # of two losses
BEYOND = 2.0  # e-folds above the fewest params that reach a loss where a search starts
Function = Callable[[Value], Value]


class Run(NamedTuple):
    """Params and tokens, counts."""

    params: Value
    tokens: Value


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

    def loss(self, run: Run, demands: Demands) -> Value:
        """Return the loss of a run."""
        return self.surface(demands).loss_of(*run)

    def solve(self, known: Mapping[str, Value], demands: Demands) -> Run:
        """Return the params and tokens of the best run.

        Args:
            known: none of flops, params, tokens and loss, or one of them.
            demands: limits and the rest.

        Raises: InputError where nothing bounds the compute; NoAnswer where no run keeps every limit.
        """
        if "loss" in known:
            return self.cheapest(known["loss"], demands)
        if "params" in known:
            return self.at_params(known["params"], demands)
        if "tokens" in known:
            return self.at_tokens(known["tokens"], demands)
        if demands.inference_tokens is None:
            return self.best(known.get("flops"), demands)
        return self.for_life(demands) if "flops" not in known else self.for_life_like(known["flops"], demands)

    # the two questions

    def best(self, flops: Value | None, demands: Demands) -> Run:
        """Return the run of least loss: at exactly so many training FLOPs, or spending up to the limits."""
        check_spent(flops, demands)
        surface = self.surface(demands)
        region = Region(surface, demands, flops=flops)
        budget = region.budget if flops is None else flops
        zero = demands.zero + (0.0 if flops is None else 0.0 * flops)
        low, high = self._ends(region, budget, zero)

        def run(x: Value) -> Run:
            params = exp(x)
            return Run(params, region.spent(params))

        slack: Function = lambda x: region.slack(*run(x))  # noqa: E731
        start = self._start(budget, high) + zero
        x = least_allowed(lambda x: surface.loss(*run(x)), slack, (low, high), start)
        if not is_array(x) and math.isnan(x):
            refuse_empty(region, run, (low, high))
        params = self._within(region, x, (low, high))
        return self.checked(Run(params, region.spent(params)), demands)

    def cheapest(
        self, loss: Value, demands: Demands, *, training_only: bool = False, start: Value | None = None
    ) -> Run:
        """Return the run that reaches a loss at the least cost: training FLOPs, and inference where it is demanded.

        Args:
            loss: to reach.
            demands: limits and the rest.
            training_only: whether inference costs nothing.
            start: params to start from.
        """
        region = Region(self.surface(demands), demands)
        target = loss if region.target is None else minimum(loss, region.target)
        zero = demands.zero + 0.0 * target
        isoloss = Isoloss(region.surface, target, zero)
        least = log(self._fewest(isoloss))
        low, high = self._ends(region, math.exp(LARGEST / 2.0), zero)
        low = maximum(low, least)

        def run(x: Value) -> Run:
            params = exp(x)
            return Run(params, maximum(isoloss.tokens(params), region.fewest_tokens(params)))

        weights = (1.0, 0.0) if training_only else demands.lifetime_weights()
        objective: Function = lambda x: log(region.cost(*run(x), weights))  # noqa: E731
        slack: Function = lambda x: region.slack(*run(x), but="loss")  # noqa: E731
        guess = least + BEYOND if start is None else log(start)
        x = least_allowed(objective, slack, (low, high), guess + zero)
        if not is_array(x) and math.isnan(x):
            refuse_empty(region, run, (low, high), f"a loss of {target:.6g}")
        params = self._clamped(region, x)
        return self.checked(Run(params, run(log(params)).tokens), demands)

    def _fewest(self, isoloss: Isoloss) -> Value:
        """Return the fewest params that reach a loss; NaN for elements that nothing reaches.

        Raises: NoAnswer where nothing reaches a float.
        """
        params = isoloss.fewest_params()
        if not is_array(params) and math.isnan(params):
            surface, loss = isoloss.surface, isoloss.loss
            hint = f"no run reaches it: the irreducible loss is {surface.irreducible:.6g}; ask for a higher loss"
            raise NoAnswer(f"{surface.law.id}: a loss of {loss:.6g} is out of reach", hint)
        return params

    # inference

    def for_life_like(self, flops: Value, demands: Demands) -> Run:
        """Return the run of least lifetime cost for the loss that a training budget reaches, within the same limits.

        Training may take more than the budget. Where the limits leave no such run they stay hard and the loss gives
        way: the run of least loss within them.
        """
        region = Region(self.surface(demands), demands)
        too_much = flops > region.budget
        try:
            trained = self.best(flops, demands.training_only)
        except (InputError, NoAnswer):
            if not every(too_much):
                raise
            return self.best(None, demands)
        try:
            like = self.cheapest(self.loss(trained, demands), demands, start=trained.params)
        except NoAnswer:
            if not region.bounds_compute:
                raise
            return self.best(None, demands)
        gives_way = (like.params != like.params) & (too_much | (trained.params == trained.params))
        if not region.bounds_compute or every(no(gives_way)):
            return like
        within = self.best(None, demands)
        return Run(*(choose(gives_way, a, b) for a, b in zip(within, like, strict=True)))

    def for_life(self, demands: Demands) -> Run:
        """Return the run of least lifetime cost, where limits bound the compute.

        What it may lose is as much as the cheapest design for life gives up within the compute limits alone. So the
        loss is the least that all limits allow plus what the demand is worth, and no demand, once dropped, leaves a
        higher one.
        """
        within = self.best(None, demands)
        least = self.loss(within, demands)
        target = least + self._given_up(demands)
        if not is_array(target) and target <= least * (1.0 + SAME):
            return within
        return _or_else(self.cheapest(target, demands, start=within.params), within)

    def _given_up(self, demands: Demands) -> Value:
        """Return how much more loss than the optimum the cheapest design for life has, at the compute limits.

        Of the compute limits alone and of unlimited data, so that it does not depend on the other demands; 0 without
        such limits.
        """
        of_compute = tuple(limit for limit in demands.limits if KINDS.get(limit.name) == "compute")
        region = Region(self.plain, demands._replace(limits=of_compute))
        if not is_array(region.budget) and region.budget == math.inf:
            return 0.0
        flops = region.budget + demands.zero
        weights = demands.lifetime_weights()
        cost: Cost = lambda params, tokens: log(region.cost(params, tokens, weights))  # noqa: E731
        high = log(self.best(flops, Demands()).params)
        x = root(lambda x: pull(self.plain, cost, exp(x), region.tokens_for(flops, exp(x))), 0.0 * high, high)
        losses = [self.plain.loss_of(exp(at), self.plain.tokens_for(flops, exp(at))) for at in (x, high)]
        return maximum(losses[0] - losses[1], 0.0)

    # given runs

    def at_params(self, params: Value, demands: Demands) -> Run:
        """Return the run for which params are optimal, of fewer tokens where limits ask for that."""
        most = Region(self.surface(demands), demands).most_tokens(params)
        return self.checked(Run(params, minimum(tokens_for_params(self.plain, params), most)), demands)

    def at_tokens(self, tokens: Value, demands: Demands) -> Run:
        """Return the run for which tokens are optimal, of fewer params where limits ask for that."""
        surface = self.surface(demands)
        region = Region(surface, demands)
        params = params_for_tokens(self.plain, tokens)
        high = log(params) + demands.zero
        slack: Function = lambda x: region.slack(exp(x), tokens)  # noqa: E731
        x = least_allowed(lambda x: surface.loss(exp(x), tokens), slack, (0.0 * high, high), high)
        if not is_array(x) and math.isnan(x):
            refuse_broken(region, (params, tokens))
        return Run(self._clamped(region, x), tokens)

    def checked(self, run: Run, demands: Demands) -> Run:
        """Return a given run; NaN for elements that break a limit.

        Raises: NoAnswer when a float breaks a limit, naming both.
        """
        region = Region(self.surface(demands), demands)
        kept = region.slack(*run)
        if is_array(kept):
            return Run(*(only_where(kept >= -KEPT, part + 0.0 * kept) for part in run))
        if not kept >= -KEPT:
            refuse_broken(region, run)
        return run

    # what every search shares

    def _start(self, budget: Value, high: Value) -> Value:
        """Return the logarithm of the params to start from."""
        if not is_array(budget) and budget == math.inf:
            return high
        split = self.plain.power_split
        return 0.5 * log(budget / USUAL) if split is None else log(split.params(budget))

    def _ends(self, region: Region, budget: Value, zero: Value) -> tuple[Value, Value]:
        """Return between which logarithms of params to search.

        Raises: InputError when nothing bounds them, or limits leave no room for one parameter.
        """
        low, high = region.params_range
        if not is_array(high) and high < 1.0:
            tight = next(b for b in region.bounds if b.kind == "params" and b.limit.is_max and b.value == high)
            raise InputError(
                f"{tight.limit.text} leaves room for {high:.3g} parameters", "expected room for one at least"
            )
        is_free = not is_array(budget) and budget == math.inf
        if is_free and not region.bounds_compute:
            raise InputError(
                "nothing bounds the compute", "give --flops, or a limit: --gpu h100 --gpus 512 --max days=30"
            )
        top = math.inf if is_free else log(budget) + MARGIN
        return log(low) + zero, minimum(_log(high), _log(region.most_params), top + zero)

    def _within(self, region: Region, x: Value, ends: tuple[Value, Value]) -> Value:
        """Return exp(x), unless the loss keeps falling towards an end of the search that is no limit.

        Raises: NoAnswer for such a float; elements are NaN.
        """
        limit = _log(minimum(region.params_range[1], region.most_params))
        inside = (x > 0.0) & ((x < ends[1]) | (ends[1] >= limit))
        if isinstance(inside, bool) and not inside:
            problem = f"{region.surface.law.id} has no optimal split within these limits"
            raise NoAnswer(problem, "its loss keeps falling towards one end: limit the params or the tokens")
        return self._clamped(region, only_where(inside, x))

    def _clamped(self, region: Region, x: Value) -> Value:
        """Return exp(x), within the params allowed to the last digit."""
        low, high = region.params_range
        return minimum(maximum(exp(x), low), high)


def _log(x: Value) -> Value:
    return x if not is_array(x) and x == math.inf else log(x)


def _or_else(run: Run, other: Run) -> Run:
    """Return a run, another where it is NaN."""
    return Run(*(choose(a == a, a, b) for a, b in zip(run, other, strict=True)))
