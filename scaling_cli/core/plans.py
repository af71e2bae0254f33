"""Questions to a law: give what you know of flops, params, tokens and loss, and it solves for the rest."""

import math
from collections.abc import Callable, Mapping
from copy import copy

from scaling_cli.core.answers import Plan
from scaling_cli.core.duals import Dual, Value, maximum, minimum, slope_of
from scaling_cli.core.frontier import Frontier
from scaling_cli.core.knowns import check_knowns, check_settings, check_sizes
from scaling_cli.core.laws import Law
from scaling_cli.core.notes import assumptions, missing_interval, point, range_notes, unanswered
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.relations import Settings
from scaling_cli.core.search import HALF_ULP
from scaling_cli.core.surface import Surface
from scaling_cli.core.sweeps import is_array
from scaling_cli.errors import InputError, NoAnswer

DIFFERENT = 0.05  # relative distance in params beyond which a second optimum is worth a note
OTHER_LOSS = 0.01  # relative distance of two losses of one run that is worth a note


class Planner:
    """One law with its variables set, ready for questions.

    Args:
        law: the law.
        settings: values of the law's declared variables, such as {"U": 1e11}.

    Raises: InputError for a variable that the law does not declare.
    """

    def __init__(self, law: Law, settings: Settings | None = None) -> None:
        self.law = law
        self.settings = check_settings(law, settings)
        self.surface = self.data = Surface(law, self.settings)
        self.frontier = Frontier(self.surface)
        self.surface_frontier = Frontier(self.surface, own=False)

    def on(self, data: Surface) -> "Planner":
        """Return the planner of given runs whose loss another surface says, that of their data."""
        planner = copy(self)
        planner.data = data
        return planner

    def plan(self, known: Mapping[str, Value]) -> Plan:
        """Return the answer for one or two of flops, params, tokens and loss.

        Args:
            known: values by name, each > 0 and finite; floats, or arrays that broadcast together.

        Raises: InputError for none or more than two; NoAnswer when the question has no answer. Elements of an array
            without an answer become NaN, and a note counts them.
        """
        values = check_knowns(known)
        try:
            return self.finished(self.answer(values))
        except (ArithmeticError, ValueError) as error:
            raise NoAnswer(
                f"{self.law.id}: the answer lies beyond what a double can hold", "ask nearer its range"
            ) from error
        except NoAnswer as error:
            # a law without a split may still say something of what is known: Pearce's total params of N
            if len(values) > 1 or "loss" in values:
                raise
            plan = self.finished(Plan(self.law.id, notes=(error.message,))._replace(**values))
            if not plan.relations:
                raise
            return plan

    def answer(self, values: Mapping[str, Value]) -> Plan:
        """Return the bare answer to what `check_knowns` has checked."""
        plan = _QUESTIONS[tuple(values)](self, *values.values())
        if plan.params is None or plan.tokens is None:
            return plan
        return plan._replace(tokens_per_param=plan.tokens / plan.params)

    def finished(self, plan: Plan) -> Plan:
        """Fill in what follows from any answer: the law's other relations, the notes."""
        used = self.relations_used()
        where = {**point(plan.flops, plan.params, plan.tokens, plan.loss), **self.settings}
        return plan._replace(
            relations=self.other_relations(plan),
            notes=(
                *plan.notes,
                *unanswered(self.law, plan.flops, plan.params, plan.tokens),
                *self.split_note(plan),
                *self.loss_note(plan),
                *assumptions(self.law, self.settings, used),
                *missing_interval(self.law, used),
            ),
            outside=range_notes(self.law, used, where),
        )

    # one known: a point of the frontier

    def at_flops(self, flops: Value) -> Plan:
        """Return the optimal split of a budget."""
        notes: tuple[str, ...] = ()
        params = tokens = loss = None
        try:
            params, tokens = self.frontier.split(flops)
            if not is_array(flops):
                check_sizes(self.law.id, params=params, tokens=tokens)
        except NoAnswer as error:
            if not self.frontier.loss_relation:
                raise
            notes = (error.message,)
        if self.frontier.has_loss:
            loss = self.frontier.loss(flops)
            notes = (*notes, *self.saturation_note(params, tokens, loss))
        else:
            notes = (*notes, f"{self.law.id} says nothing of the loss")
        return Plan(self.law.id, flops, params, tokens, loss=loss, notes=notes)

    def at_params(self, params: Value) -> Plan:
        """Return the budget at which params are optimal."""
        return self.at_flops(self.frontier.flops_for_params(params))._replace(params=params)

    def at_tokens(self, tokens: Value) -> Plan:
        """Return the budget at which tokens are optimal."""
        return self.at_flops(self.frontier.flops_for_tokens(tokens))._replace(tokens=tokens)

    def at_loss(self, loss: Value) -> Plan:
        """Return the least budget on the frontier that reaches a loss."""
        if not self.frontier.has_loss:
            raise NoAnswer(f"{self.law.id} says nothing of the loss", "ask it with --flops, --params or --tokens")
        return self.at_flops(self.frontier.flops_for_loss(loss))._replace(loss=loss)

    # two knowns: a point of the loss surface, and what it costs to be there

    def at_flops_params(self, flops: Value, params: Value) -> Plan:
        """Return the tokens, the loss and the price of params that may not be optimal."""
        return self.off_optimum(flops, params, self.surface.tokens_for(flops, params))

    def at_flops_tokens(self, flops: Value, tokens: Value) -> Plan:
        """Return the params, the loss and the price of tokens that may not be optimal."""
        return self.off_optimum(flops, self.surface.params_for(flops, tokens), tokens)

    def at_params_tokens(self, params: Value, tokens: Value) -> Plan:
        """Return the compute, the loss and the price of a given run."""
        return self.off_optimum(self.surface.flops(params, tokens), params, tokens)

    def at_params_loss(self, params: Value, loss: Value) -> Plan:
        """Return the tokens that take params to a loss."""
        self.need_loss()
        tokens = self.surface.tokens_at_loss(params, loss)
        return self.off_optimum(self.surface.flops(params, tokens), params, tokens)._replace(loss=loss)

    def at_tokens_loss(self, tokens: Value, loss: Value) -> Plan:
        """Return the params that tokens take to a loss."""
        self.need_loss()
        params = self.surface.params_at_loss(tokens, loss)
        return self.off_optimum(self.surface.flops(params, tokens), params, tokens)._replace(loss=loss)

    def at_flops_loss(self, flops: Value, loss: Value) -> Plan:
        """Return the smallest params that reach a loss within a budget; the largest in a note."""
        self.need_loss()
        best = self.surface.optimal_params(flops)
        least = self.surface.loss_of(best, self.surface.tokens_for(flops, best))
        if not is_array(loss) and loss < least:
            hint = f"the least it reaches is {least:.6g}, with {best:.4g} params"
            raise NoAnswer(f"{self.law.id}: {flops:.4g} FLOPs reach no loss of {loss:.6g}", hint)
        smallest, largest = self.surface.params_range(flops, loss, best)
        plan = self.off_optimum(flops, smallest, self.surface.tokens_for(flops, smallest))
        if is_array(loss):
            return plan._replace(loss=loss)
        note = f"{self.law.id}: from {smallest:.4g} to {largest:.4g} params reach this loss within the budget"
        return plan._replace(loss=loss, notes=(*plan.notes, note))

    def off_optimum(self, flops: Value, params: Value, tokens: Value) -> Plan:
        """Return a run with its loss, compared with the minimum of the loss surface at the same flops."""
        if not is_array(flops):
            check_sizes(self.law.id, flops=flops, params=params, tokens=tokens)
        plan = Plan(self.law.id, flops, params, tokens)
        if not self.surface.has_loss:
            return plan._replace(notes=(f"{self.law.id} has no loss surface: it cannot say what this split costs",))
        return self.against_optimum(plan._replace(loss=self.data.loss_of(params, tokens)))

    def against_optimum(self, plan: Plan) -> Plan:
        """Return a run with its loss compared with the minimum of the loss surface at the same flops."""
        flops: Value = plan.flops
        loss = plan.loss
        try:
            best = self.surface.optimal_params(flops)
            least = self.surface.loss_of(best, self.surface.tokens_for(flops, best))
            same = minimum(self.surface_frontier.flops_for_loss(maximum(loss, least), start=(flops, best)), flops)
        except NoAnswer as error:
            return plan._replace(notes=(error.message,))
        return plan._replace(
            optimal_params=best, optimal_loss=minimum(least, loss), flops_same_loss=same, waste=1.0 - same / flops
        )

    def need_loss(self) -> None:
        """Raise NoAnswer where the law has no loss surface."""
        if not self.surface.has_loss:
            raise NoAnswer(f"{self.law.id} has no loss surface", "ask it with --flops, --params or --tokens")

    # what belongs to every answer

    def other_relations(self, plan: Plan) -> dict[str, float]:
        """Return the law's remaining relations at a single answer, where it determines them."""
        known = point(plan.flops, plan.params, plan.tokens, plan.loss)
        if any(is_array(value) for value in known.values()):
            return {}
        found = self.relation_values(known)
        return {name: value for name, value in found.items() if self.surface.relation(name).inputs}

    def constants(self) -> dict[str, float]:
        """Return the law's relations that depend on nothing, such as the point where two of its curves cross."""
        return self.relation_values({})

    def relation_values(self, known: Mapping[str, float]) -> dict[str, float]:
        """Return the relations that the known quantities determine, beside loss, flops and the frontier."""
        found: dict[str, float] = {}
        for name in self.law.relations:
            if name in ("loss", "flops", *self.law.frontier.values()):
                continue
            try:
                bound = self.surface.relation(name)
                if bound.inputs <= known.keys():
                    found[name] = float(bound(**{letter: known[letter] for letter in bound.inputs}))
            except (InputError, NoAnswer, ArithmeticError, ValueError):
                continue  # a relation of another question: its variable is not set
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def relations_used(self) -> list[str]:
        """Return the relations that answers rest on."""
        used = [self.frontier.params_relation, self.frontier.tokens_relation, self.frontier.loss_relation]
        return [name for name in (*used, "loss", "flops") if name in self.law.relations]

    def saturation_note(self, params: Value, tokens: Value, loss: Value) -> tuple[str, ...]:
        """Say where neither more params nor more tokens change the loss any more, in double precision."""
        if self.frontier.loss_relation or not isinstance(params, float) or not isinstance(tokens, float):
            return ()
        gain = slope_of(self.surface.loss(params, Dual(tokens, tokens)))
        if abs(gain) > HALF_ULP * 2.0 * abs(loss):
            return ()
        return (f"{self.law.id}: the loss is as low as it gets here: more compute buys nothing",)

    def split_note(self, plan: Plan) -> tuple[str, ...]:
        """Say where the law's own split and the minimum of its loss surface differ by more than 5 %."""
        if not (self.frontier.states_split and self.surface.has_loss and isinstance(plan.flops, float)):
            return ()
        try:
            stated, _ = self.frontier.split(plan.flops)
            lowest = plan.optimal_params or self.surface.optimal_params(plan.flops)
        except (NoAnswer, ArithmeticError, ValueError):
            return ()
        if abs(lowest / stated - 1.0) <= DIFFERENT:
            return ()
        return (
            f"{self.law.id}: at {format_quantity(plan.flops, 'flops')} FLOPs its stated split has "
            f"{format_quantity(stated, 'params')} params; the minimum of its loss surface lies at "
            f"{format_quantity(lowest, 'params')}, and what a split costs is measured against that",
        )

    def loss_note(self, plan: Plan) -> tuple[str, ...]:
        """Say where the loss that a law states of its frontier is not that of its surface, by more than 1 %."""
        if not self.frontier.loss_relation or not self.data.has_loss or not isinstance(plan.flops, float):
            return ()
        if plan.params is None or plan.tokens is None or plan.loss is None:
            return ()
        try:
            surface = float(self.data.loss_of(plan.params, plan.tokens))
        except NoAnswer:
            return ()
        if abs(surface / plan.loss - 1.0) <= OTHER_LOSS:
            return ()
        return (
            f"{self.law.id}: the loss is that of its {self.frontier.loss_relation} relation; its loss surface, which "
            f"answers for given params and tokens, says {format_quantity(surface, 'loss')} here",
        )


_QUESTIONS: dict[tuple[str, ...], Callable[..., Plan]] = {
    ("flops",): Planner.at_flops,
    ("params",): Planner.at_params,
    ("tokens",): Planner.at_tokens,
    ("loss",): Planner.at_loss,
    ("flops", "params"): Planner.at_flops_params,
    ("flops", "tokens"): Planner.at_flops_tokens,
    ("params", "tokens"): Planner.at_params_tokens,
    ("params", "loss"): Planner.at_params_loss,
    ("tokens", "loss"): Planner.at_tokens_loss,
    ("flops", "loss"): Planner.at_flops_loss,
}
