"""A plan under demands, complete: the run, what it takes on its machine and over its life, what each demand costs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scaling_cli.core.answers import Plan, Price
from scaling_cli.core.comparisons import ask_each, mark, plan_laws
from scaling_cli.core.constrained import Constrained, Run
from scaling_cli.core.demands import INFERENCE_FLOPS, KINDS, Demands
from scaling_cli.core.duals import Value, maximum
from scaling_cli.core.knowns import check_knowns
from scaling_cli.core.laws import Law
from scaling_cli.core.machines import BYTES, COSTS, MFU_RANGE, cost
from scaling_cli.core.plans import Planner
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.relations import Settings
from scaling_cli.core.repeats import Decay, RepeatedSurface
from scaling_cli.core.surface import Surface
from scaling_cli.core.sweeps import is_array
from scaling_cli.errors import InputError, NoAnswer

OVER_COMPUTE = ("compute", "lifetime", "dollars")
NEARLY_ALL = 1.001  # of the least loss that limited data allow: 0.1 % above it


def plan_within(law: Law, known: Mapping[str, Value], settings: Settings, demands: Demands, decay: Decay) -> Plan:
    """Return the plan of a law that keeps every demand.

    Args:
        law: a law with a loss.
        known: at most two of flops, params, tokens and loss.
        settings: values of the law's variables.
        demands: limits, unique tokens, inference tokens, machine.
        decay: how repeats lose their worth, for laws that do not say.

    Raises: InputError where nothing bounds the compute or demands contradict each other; NoAnswer where no run keeps
        them all.
    """
    planner = Planner(law, settings)
    planner.need_loss()
    limited = _limited(planner.surface, demands, decay)
    asked = Constrained(planner.surface, limited)
    values = check_knowns(known) if known else {}
    run = _two_knowns(law, limited, values, demands, asked) if len(values) > 1 else asked.solve(values, demands)
    flops = limited.flops(*run)
    plan = Plan(law.id, flops, *run, run[1] / run[0], limited.loss_of(*run))
    plan = planner.finished(planner.against_optimum(plan))
    notes = (*plan.notes, *_notes(plan, values, demands, asked))
    plan = plan._replace(notes=notes, prices=tuple(_prices(asked, values, demands, plan)))
    return _with_flops_range(priced(plan, demands), asked, values, demands)


def plan_laws_within(
    laws: Sequence[Law], known: Mapping[str, float], settings: Settings, demands: Demands, decay: Decay
) -> list[Plan]:
    """Return each law's plan under demands; a law that cannot answer says why in its notes.

    Raises: what the first law raised, when no law can answer.
    """
    if not demands.is_constrained:
        return [priced(plan, demands) for plan in plan_laws(laws, known, settings)]

    def answer(law: Law, mine: Settings) -> Plan:
        plan = plan_within(law, known, mine, demands, decay)
        return plan._replace(notes=(*plan.notes, *mark(law, plan)))

    shown: Any = check_knowns(known) if known else {}
    return ask_each(laws, settings, answer, lambda law: Plan(law.id, **shown))


def priced(plan: Plan, demands: Demands) -> Plan:
    """Return a plan with what it takes: on the machine, of memory, of data and over its life."""
    if plan.flops is None or plan.params is None or plan.tokens is None:
        return plan
    found: dict[str, Value] = {}
    notes: list[str] = []
    machine, precision = demands.machine, demands.serving.precision
    if machine is not None:
        found.update({name: cost(machine, name, plan.flops) for name in COSTS})
        notes += machine.notes()
    if precision is not None:
        found["memory_bytes"] = plan.params * BYTES[precision]
        notes.append(f"memory is that of the weights alone, in {precision}: no cache, no activations")
    if demands.unique_tokens is not None:
        found.update(unique_tokens=demands.unique_tokens, epochs=plan.tokens / demands.unique_tokens)
    if demands.inference_tokens is not None:
        found.update(_over_life(plan.params, plan.flops, demands))
    return _with_cost_range(plan._replace(notes=(*plan.notes, *notes), **found), demands)


def _over_life(params: Value, flops: Value, demands: Demands) -> dict[str, Value]:
    tokens: Value = demands.inference_tokens
    served = INFERENCE_FLOPS * params * tokens
    found = {"inference_tokens": tokens, "lifetime_flops": flops + served}
    weights = demands.dollar_weights()
    if weights is not None:
        found["lifetime_dollars"] = weights[0] * flops + weights[1] * served
    return found


def _limited(plain: Surface, demands: Demands, decay: Decay) -> Surface:
    """Return the surface with the demanded unique tokens: the law's own where it has them, else Muennighoff's way."""
    unique = demands.unique_tokens
    if unique is None:
        return plain
    if "U" in plain.law.variables:
        if "U" in plain.settings:
            raise InputError("--unique-tokens and --set U are both given", "give one of them")
        return Surface(plain.law, {**plain.settings, "U": unique})
    return RepeatedSurface(plain.law, plain.settings, unique_tokens=unique, decay=decay)


def _two_knowns(law: Law, limited: Surface, values: Mapping[str, Value], demands: Demands, asked: Constrained) -> Run:
    planner = Planner(law, limited.settings)
    planner.surface = limited
    plan = planner.answer(values)
    return asked.checked((plan.params, plan.tokens), demands)


# what each demand costs


def _prices(asked: Constrained, known: Mapping[str, Value], demands: Demands, plan: Plan) -> Iterator[Price]:
    if len(known) > 1:
        return
    for text, fewer in _each_dropped(demands):
        try:
            run = asked.solve(known, fewer)
        except (InputError, NoAnswer):
            yield Price(text)
            continue
        loss, flops = asked.loss(run, fewer), asked.surface(fewer).flops(*run)
        yield Price(text, loss, maximum(plan.loss - loss, 0.0), flops, _flops_back(asked, demands, loss, plan))


def _each_dropped(demands: Demands) -> Iterator[tuple[str, Demands]]:
    """Yield the demands with each of them dropped, and what was."""
    for limit in demands.limits:
        yield limit.text, demands.without(limit)
    if demands.unique_tokens is not None:
        limits = tuple(limit for limit in demands.limits if limit.name != "epochs")
        yield _said("unique-tokens", demands.unique_tokens), demands._replace(unique_tokens=None, limits=limits)
    if demands.inference_tokens is not None:
        yield _said("inference-tokens", demands.inference_tokens), demands._replace(inference_tokens=None)


def _said(option: str, value: Value) -> str:
    return f"--{option} {format_quantity(value, 'tokens')}" if isinstance(value, float) else f"--{option}"


def _flops_back(asked: Constrained, demands: Demands, loss: Value, plan: Plan) -> Value | None:
    """Return the training FLOPs that reach a loss with every demand but those on compute; None where none do."""
    if is_array(loss):
        return None
    if plan.loss <= loss:
        return plan.flops
    free = tuple(limit for limit in demands.limits if KINDS[limit.name] not in (*OVER_COMPUTE, "loss"))
    try:
        run = asked.cheapest(loss, demands._replace(limits=free, inference_tokens=None), training_only=True)
    except (NoAnswer, ArithmeticError, ValueError):
        return None
    return asked.limited.flops(*run)


# what the utilisation leaves open


def _with_cost_range(plan: Plan, demands: Demands) -> Plan:
    """Return a plan with costs at the ends of the usual utilisation, where none was given."""
    machine = demands.machine
    if machine is None or machine.mfu_given or plan.flops is None or _is_bound_by_machine(demands):
        return plan
    if demands.hours_given:
        low, high = ({"flops": plan.flops * mfu / machine.mfu} for mfu in MFU_RANGE)
        return plan._replace(low={**plan.low, **low}, high={**plan.high, **high})
    ends = [{name: cost(machine.at(mfu), name, plan.flops) for name in COSTS} for mfu in reversed(MFU_RANGE)]
    low, high = ({name: value for name, value in end.items() if value is not None} for end in ends)
    return plan._replace(low={**plan.low, **low}, high={**plan.high, **high})


def _is_bound_by_machine(demands: Demands) -> bool:
    return any(limit.name in COSTS for limit in demands.limits)


def _with_flops_range(plan: Plan, asked: Constrained, known: Mapping[str, Value], demands: Demands) -> Plan:
    """Return a plan with its compute at the ends of the usual utilisation, where machine limits bound it."""
    machine = demands.machine
    if machine is None or machine.mfu_given or known or not _is_bound_by_machine(demands):
        return plan
    ends = []
    for mfu in MFU_RANGE:
        at = demands._replace(machine=machine.at(mfu))
        try:
            ends.append(asked.surface(at).flops(*asked.solve(known, at)))
        except (InputError, NoAnswer):
            return plan
    return plan._replace(low={**plan.low, "flops": ends[0]}, high={**plan.high, "flops": ends[1]})


# what to say


def _notes(plan: Plan, known: Mapping[str, Value], demands: Demands, asked: Constrained) -> Iterator[str]:
    law = plan.law
    if any(is_array(value) for value in (plan.flops, plan.params, plan.tokens)):
        return
    if demands.unique_tokens is not None:
        yield from _data_notes(plan, demands, asked)
    if demands.inference_tokens is not None and "flops" in known:
        more = plan.flops / known["flops"] - 1.0
        yield (
            f"{law}: training takes {format_quantity(plan.flops, 'flops')} FLOPs, {100.0 * more:.3g} % more than the "
            "budget whose loss is matched, and least over its life with inference at 2 N FLOPs per token"
        )
    elif demands.inference_tokens is not None:
        yield f"{law}: inference counts 2 N FLOPs per token (Sardana et al. 2024, section 2)"


def _data_notes(plan: Plan, demands: Demands, asked: Constrained) -> Iterator[str]:
    limited, unique = asked.limited, demands.unique_tokens
    floor = limited.loss_of(math.inf, math.inf)
    if isinstance(limited, RepeatedSurface):
        worth = format_quantity(limited.effective_tokens(plan.tokens), "tokens")
        fed, decay = format_quantity(limited.fed, "params"), limited.decay
        yield (
            f"{plan.law}: {format_quantity(unique, 'tokens')} unique tokens feed {fed} params at full worth, by "
            f"its own frontier; the tokens seen are worth {worth} unique ones (Muennighoff et al. 2023, eqs. 5 and 6; "
            f"R_D {decay.tokens:.4g} and R_N {decay.params:.4g} are theirs)"
        )
    yield f"{plan.law}: with these data no compute brings the loss below {floor:.4f}{_nearly(asked, demands, floor)}"


def _nearly(asked: Constrained, demands: Demands, floor: float) -> str:
    bare = Demands(unique_tokens=demands.unique_tokens)
    try:
        run = asked.cheapest(floor * NEARLY_ALL, bare, training_only=True)
    except (NoAnswer, ArithmeticError, ValueError):
        return ""
    flops = format_quantity(asked.limited.flops(*run), "flops")
    return f"; beyond {flops} FLOPs more of it buys less than 0.1 %"
