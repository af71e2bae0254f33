"""The optimal split of every budget as one curve, and the budget at which it passes given params, tokens or loss."""

import math
from collections.abc import Callable

from scaling_cli.core.duals import Value, exp, log, only_where
from scaling_cli.core.knowns import check_sizes
from scaling_cli.core.search import TOLERANCE, find_bracket, find_root
from scaling_cli.core.surface import LARGEST, Surface
from scaling_cli.core.sweeps import Array, bisect, is_array, quietly, sweep
from scaling_cli.errors import NoAnswer

USUAL = math.log(1e21)  # FLOPs


class Frontier:
    """The curve of optimal (params, tokens, loss) over budgets.

    Args:
        surface: the law with its variables set.
        own: whether the law's own published split decides; otherwise its loss surface alone does.
    """

    def __init__(self, surface: Surface, *, own: bool = True) -> None:
        law = surface.law
        self.surface = surface
        self.start, self.tolerance = USUAL, TOLERANCE  # of the search for a budget, in log FLOPs
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
            raise NoAnswer(f"{self.surface.law.id} states no optimal split")
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

    def flops_for_loss(self, loss: Value) -> Value:
        """Return the least budget on the frontier that reaches a loss.

        Raises: NoAnswer at or below the irreducible loss.
        """
        floor = self.irreducible
        if is_array(loss):
            return self._invert(self.loss, only_where(loss > floor, loss), "loss")
        if loss <= floor:
            hint = f"no budget reaches it: the irreducible loss is {floor:.6g}; ask for a higher loss"
            raise NoAnswer(f"{self.surface.law.id}: a loss of {loss:.6g} is out of reach", hint)
        return self._invert(self.loss, loss, "loss")

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

        def distance(x: float) -> float:
            try:
                return float(curve(math.exp(x)) - target)
            except (ArithmeticError, ValueError):
                return math.nan  # the curve does not exist there
            except NoAnswer as error:
                refusals.append(error)
                return math.nan

        found = find_bracket(distance, self.start, lowest=0.0, highest=LARGEST)
        if found is None and what == "loss" and distance(0.0) < 0.0:
            raise NoAnswer(f"{law}: {shown} is more than a single FLOP leaves", "ask for a lower loss")
        if found is None and refusals:
            raise refusals[0]
        if found is None:
            raise NoAnswer(f"{law}: no budget below 1e280 FLOPs has {shown} as its optimum")
        return math.exp(find_root(distance, *found, tolerance=self.tolerance))
