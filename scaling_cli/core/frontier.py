"""The optimal split of every budget as one curve, and the budget at which it passes given params, tokens or loss."""

import math
from collections.abc import Callable
from functools import cache

from scaling_cli.core.duals import Dual, Value, exp, library_of, log, only_where, slope_of, value_of
from scaling_cli.core.knowns import check_sizes
from scaling_cli.core.search import LEVEL, TOLERANCE, find_bracket, find_root
from scaling_cli.core.surface import BEYOND, LARGEST, Surface, or_else
from scaling_cli.core.sweeps import Array, bisect, is_array, quietly, sweep
from scaling_cli.errors import NoAnswer

USUAL = 1e21  # FLOPs
NEWTON_STEPS = 20
NEARBY = 1e-3  # of a step in log FLOPs, after which what follows counts
ROUNDING = 1e-12  # of such a step: none is more precise

Optimum = tuple[float, float | None]  # flops and, where known, the params of the least loss


class Frontier:
    """The curve of optimal (params, tokens, loss) over budgets.

    Args:
        surface: the law with its variables set.
        own: whether the law's own published split decides; otherwise its loss surface alone does.
    """

    def __init__(self, surface: Surface, *, own: bool = True) -> None:
        law = surface.law
        self.surface = surface
        self.start: Optimum = (USUAL, None)  # of the search for a budget
        self.tolerance = TOLERANCE  # of its logarithm
        self.params_relation = self.tokens_relation = self.loss_relation = ""
        if own:
            self.params_relation = law.frontier.get("params", "")
            self.tokens_relation = law.frontier.get("tokens", "")
            self.loss_relation = law.frontier.get("loss", "")
            if not surface.has_loss:
                self._take_what_there_is()

    def _take_what_there_is(self) -> None:
        relations = self.surface.law.relations
        if not self.params_relation and not self.tokens_relation:
            self.params_relation = "optimal_params" if "optimal_params" in relations else ""
            if not self.params_relation and "optimal_tokens" in relations:
                self.tokens_relation = "optimal_tokens"
        if not self.loss_relation and "optimal_loss" in relations:
            self.loss_relation = "optimal_loss"

    @property
    def states_split(self) -> bool:
        """Whether the law states its split, rather than leaving it to the minimum of its loss."""
        return bool(self.params_relation or self.tokens_relation)

    @property
    def has_split(self) -> bool:
        """Whether the law says anything of the optimal split."""
        return self.states_split or self.surface.has_loss

    @property
    def has_loss(self) -> bool:
        """Whether the law says what loss the optimum reaches."""
        return bool(self.loss_relation) or self.surface.has_loss

    def split(self, flops: Value) -> tuple[Value, Value]:
        """Return the optimal (params, tokens) of a budget, both positive.

        Args:
            flops: training FLOPs, > 0; a float or an array.

        Raises: NoAnswer when the law has no optimum there.
        """
        if self.tokens_relation:
            tokens = self._size(self.tokens_relation, flops)
            return self.surface.params_for(flops, tokens), tokens
        if self.params_relation:
            params = self._size(self.params_relation, flops)
        elif self.surface.has_loss:
            params = self.surface.optimal_params(flops)
        else:
            from scaling_cli.core.askable import without_split  # most laws have one

            raise NoAnswer(f"{self.surface.law.id} states no optimal split", *without_split(self.surface.law))
        return params, self.surface.tokens_for(flops, params)

    def loss(self, flops: Value) -> Value:
        """Return the loss of the optimum of a budget."""
        if self.loss_relation:
            return self._of_flops(self.loss_relation, flops)
        return self.surface.loss_of(*self.split(flops))

    @property
    def irreducible(self) -> float:
        """The loss of an infinite budget."""
        if self.loss_relation:
            return float(self._of_flops(self.loss_relation, math.inf))
        return self.surface.irreducible

    def flops_for_params(self, params: Value) -> Value:
        """Return the budget at which params are optimal."""
        return self._invert(lambda flops: log(self.split(flops)[0]), log(params), "params")

    def flops_for_tokens(self, tokens: Value) -> Value:
        """Return the budget at which tokens are optimal."""
        return self._invert(lambda flops: log(self.split(flops)[1]), log(tokens), "tokens")

    def flops_for_loss(self, loss: Value, *, start: Optimum | None = None) -> Value:
        """Return the least budget on the frontier that reaches a loss.

        Args:
            loss: to reach; a float or an array.
            start: the flops and params of an optimum from which to search.

        Raises: NoAnswer below the irreducible loss, and at it unless a budget reaches it by formula (max(2, ...)).
        """
        floor = or_else(lambda: self.irreducible, -math.inf)
        if is_array(loss):
            found = self._invert(self.loss, only_where(loss > floor, loss), "loss")
            least = self._where_reached(floor) if (loss == floor).any() else None
            return found if least is None else library_of(loss).where(loss == floor, least, found)
        least = self._where_reached(floor) if loss == floor else None
        if loss <= floor and least is None:
            hint = f"no budget reaches it: the irreducible loss is {floor:.6g}; ask for a higher loss"
            raise NoAnswer(f"{self.surface.law.id}: a loss of {loss:.6g} is out of reach", hint)
        least = least or self._descend(loss, floor, start or self.start)
        return self._invert(self.loss, loss, "loss") if least is None else least

    def _where_reached(self, floor: float) -> float | None:
        """Return the least budget that reaches the irreducible loss; None where rounding alone says so."""
        try:
            flops = self._invert(self.loss, floor + LEVEL * abs(floor), "loss")
            more = Dual(BEYOND, 1.0)
            if self.loss_relation:
                beyond = self.surface.relation(self.loss_relation)(C=more * flops)
            else:
                params, tokens = self.split(flops)
                beyond = self.surface.loss(more * params, more * tokens)
        except (NoAnswer, ArithmeticError, ValueError):
            return None
        return flops if slope_of(beyond) == 0.0 else None  # by formula nothing falls there, however little

    def _descend(self, loss: float, floor: float, start: Optimum) -> float | None:
        """Return the budget whose least loss is as given, by Newton's method from another; None if it does not settle.

        What the loss lies above its floor is nearly a power law of the budget, and at a minimum it moves with the
        budget as if the params stood still. On the way each minimum is sought next to the last; at the end, everywhere.
        """
        (flops, params), step = start, 1.0
        if self.loss_relation or self.states_split:
            return None
        try:
            for _ in range(NEWTON_STEPS):
                everywhere, before = abs(step) <= NEARBY, max(abs(step), ROUNDING)
                params = self.surface.optimal_params(flops, near=None if everywhere else params)
                above = log(self.surface.loss_at(flops, params) - floor)
                step = (math.log(loss - floor) - value_of(above)) / slope_of(above)
                flops *= math.exp(step)
                if everywhere and step * step <= self.tolerance * before:  # what is left shrinks as steps do
                    return flops if 0.0 <= math.log(flops) <= LARGEST else None
        except (NoAnswer, ArithmeticError, ValueError):
            pass  # no optimum on the way, or none that moves
        return None

    def flops_for(self, curve: Callable[[Value], Value], target: Value) -> Value:
        """Return the budget at which a curve over budgets, of logarithms of a size, has a value."""
        return self._invert(curve, target, "as a size")

    def _of_flops(self, name: str, flops: Value) -> Value:
        bound = self.surface.relation(name)
        if bound.inputs - {"C"}:
            raise NoAnswer(f"{self.surface.law.id}: {name} is not a function of C alone, so it states no frontier")
        if is_array(flops):
            values = quietly(lambda: (bound(C=flops) if bound.inputs else bound()) + 0.0 * flops, flops)
            return only_where(abs(values) < math.inf, values)
        try:
            value = float(bound(C=flops) if bound.inputs else bound())
        except (ArithmeticError, ValueError):
            value = math.nan
        if math.isnan(value) or (math.isinf(value) and math.isfinite(flops)):
            raise NoAnswer(f"{self.surface.law.id}: {name} has no value at {flops:.6g} FLOPs")
        return value

    def _size(self, name: str, flops: Value) -> Value:
        value = self._of_flops(name, flops)
        if is_array(value):
            return only_where((value > 0.0) & (value < math.inf), value)
        check_sizes(self.surface.law.id, **{name: value})
        return value

    def _invert(self, curve: Callable[[Value], Value], target: Value, what: str) -> Value:
        """Solve curve(flops) = target; params and tokens come as logarithms."""
        if is_array(target):
            solve: Callable[[Array], Array] = lambda t: bisect(lambda x: curve(exp(x)) - t, 0.0 * t, 0.0 * t + LARGEST)  # noqa: E731
            return exp(sweep(solve, target.ravel())).reshape(target.shape)
        law = self.surface.law.id
        shown = f"a loss of {target:.6g}" if what == "loss" else f"{math.exp(target):.6g} {what}"

        refusals: list[NoAnswer] = []

        @cache
        def distance(x: float) -> float:
            try:
                return float(curve(math.exp(x)) - target)
            except (ArithmeticError, ValueError):
                return math.nan  # the curve does not exist there
            except NoAnswer as error:
                refusals.append(error)
                return math.nan

        found = find_bracket(distance, math.log(self.start[0]), lowest=0.0, highest=LARGEST)
        if found is None and what == "loss" and distance(0.0) < 0.0:
            raise NoAnswer(f"{law}: {shown} is more than a single FLOP leaves", "ask for a lower loss")
        if found is None and refusals:
            raise NoAnswer(refusals[0].message, *refusals[0].hints, f"no budget that has one gives {shown}")
        if found is None:
            raise NoAnswer(f"{law}: no budget below 1e280 FLOPs has {shown} as its optimum")
        return math.exp(find_root(distance, *found, tolerance=self.tolerance))
