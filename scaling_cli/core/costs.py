"""What a plan takes: on its machine, of memory, of data and over its life; what an assumed utilisation leaves open."""

from scaling_cli.core.answers import Plan
from scaling_cli.core.demands import INFERENCE_FLOPS, Demands
from scaling_cli.core.duals import Value
from scaling_cli.core.machines import BYTES, COSTS, MFU_RANGE, cost

BY_UTILISATION = "low and high of flops are those of the usual utilisation, not of the draws"
ACTIVE = "active"  # params of one token: memory holds more


def priced(plan: Plan, demands: Demands, params_kind: str = "total", *, flops_given: bool = False) -> Plan:
    """Return a plan with what it takes: on the machine, of memory, of data and over its life.

    Args:
        plan: the run.
        demands: its machine, data and life.
        params_kind: what N counts: weights that it leaves out are told of.
        flops_given: whether the compute is given, so that an assumed utilisation moves its costs.
    """
    found: dict[str, Value] = {}
    notes: list[str] = []
    machine, precision = demands.machine, demands.serving.precision
    if machine is not None and plan.flops is not None:
        found.update({name: cost(machine, name, plan.flops) for name in COSTS})
        notes += machine.notes()
    weights = plan.params if demands.stored is None and params_kind != ACTIVE else demands.stored
    if precision is not None and weights is not None:
        found["memory_bytes"] = weights * BYTES[precision]
        notes.append(memory_note(precision, params_kind if demands.stored is None else "total"))
    if demands.unique_tokens is not None and plan.tokens is not None:
        found.update(unique_tokens=demands.unique_tokens, epochs=plan.tokens / demands.unique_tokens)
    if demands.inference_tokens is not None and plan.flops is not None and plan.params is not None:
        found.update(_over_life(plan.params, plan.flops, demands))
    return _with_cost_range(plan._replace(notes=(*plan.notes, *notes), **found), demands, flops_given)


def memory_note(precision: str, params_kind: str) -> str:
    """Return what memory is that of: the precision of the weights, and what N leaves out of them."""
    less = ", and N leaves out embeddings" if params_kind.startswith("non_") else ""
    return f"memory is that of the weights alone, in {precision}: no cache, no activations{less}"


def _over_life(params: Value, flops: Value, demands: Demands) -> dict[str, Value]:
    tokens: Value = demands.inference_tokens
    served = INFERENCE_FLOPS * params * tokens
    found = {"inference_tokens": tokens, "lifetime_flops": flops + served}
    weights = demands.dollar_weights()
    if weights is not None:
        found["lifetime_dollars"] = weights[0] * flops + weights[1] * served
    return found


def _with_cost_range(plan: Plan, demands: Demands, flops_given: bool) -> Plan:
    """Return a plan with costs at the ends of the usual utilisation, where none was given."""
    machine = demands.machine
    if machine is None or machine.mfu_given or plan.flops is None:
        return plan
    if is_bound_by_machine(demands) and not flops_given:
        return plan
    if demands.hours_given:
        low, high = ({"flops": plan.flops * mfu / machine.mfu} for mfu in MFU_RANGE)
        notes = (*plan.notes, f"{plan.law}: {BY_UTILISATION}") if plan.low else plan.notes
        return plan._replace(low={**plan.low, **low}, high={**plan.high, **high}, ranged=("flops",), notes=notes)
    ends = [{name: cost(machine.at(mfu), name, plan.flops) for name in COSTS} for mfu in reversed(MFU_RANGE)]
    low, high = ({name: value for name, value in end.items() if value is not None} for end in ends)
    return plan._replace(low={**plan.low, **low}, high={**plan.high, **high}, ranged=tuple(low))


def is_bound_by_machine(demands: Demands) -> bool:
    """Whether a limit on what the machine takes bounds the compute, so that the utilisation moves it."""
    return any(limit.name in COSTS for limit in demands.limits)
