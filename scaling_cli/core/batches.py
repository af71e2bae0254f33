"""Plans under demands for whole arrays: knowns and demands broadcast together, solved a part at a time."""

from collections.abc import Callable, Mapping
from typing import Any

from scaling_cli.core.answers import Plan
from scaling_cli.core.comparisons import mark
from scaling_cli.core.constrained import KEPT, Constrained
from scaling_cli.core.costs import priced
from scaling_cli.core.demands import Demands
from scaling_cli.core.duals import Value, library_of, only_where
from scaling_cli.core.knowns import check_knowns
from scaling_cli.core.laws import Law
from scaling_cli.core.plans import Planner
from scaling_cli.core.relations import Settings
from scaling_cli.core.repeats import Decay
from scaling_cli.core.sweeps import is_array
from scaling_cli.core.within import answered, gives_flops, limited_surface, planner_of_surface, with_flops_range
from scaling_cli.errors import InputError

Change = Callable[[Value], Value]
AT_ONCE = 4096  # elements solved in step: few enough to stay in a cache, many enough to forget the interpreter
FIELDS = (
    "flops", "params", "tokens", "tokens_per_param", "loss", "optimal_params", "optimal_loss", "flops_same_loss",
    "waste",
)  # fmt: skip


def plan_arrays(law: Law, known: Mapping[str, Value], settings: Settings, demands: Demands, decay: Decay) -> Plan:
    """Return the plans of a law that keep every demand, as `plan_within` element by element, but without prices.

    Elements without an answer are NaN, whatever the reason.

    Raises: InputError where the shapes do not fit, or nothing bounds the compute.
    """
    planner = planner_of_surface(law, settings, demands)
    values = check_knowns(known) if known else {}
    arrays = [*demands.arrays, *(value for value in values.values() if is_array(value))]
    xp = library_of(arrays[0])
    shape = _shape(xp, arrays)
    flat: Change = lambda array: xp.broadcast_to(array, shape).ravel()  # noqa: E731
    values = {name: flat(value) if is_array(value) else value for name, value in values.items()}
    flattened = demands.mapped(flat)
    size = flat(arrays[0]).size
    parts = [_part(planner, values, flattened, decay, start=start) for start in range(0, size, AT_ONCE)]
    plan = Plan(law.id, **{name: _joined(xp, [part[name] for part in parts], shape) for name in FIELDS})
    low, high = ({"flops": value} if value is not None else {} for value in (
        _joined(xp, [part[side].get("flops") for part in parts], shape) for side in ("low", "high")
    ))  # fmt: skip
    plan = planner.finished(plan._replace(low=low, high=high))
    plan = plan._replace(notes=(*plan.notes, *mark(law, plan), *_without_interval(law)))
    return priced(plan, demands, law.params_kind, flops_given=gives_flops(values))


def _without_interval(law: Law) -> tuple[str, ...]:
    return (f"{law.id}: no intervals for arrays under demands: ask for single plans",) if law.draws else ()


def _part(
    planner: Planner, values: Mapping[str, Value], demands: Demands, decay: Decay, *, start: int
) -> dict[str, Any]:
    """Return the fields of a plan of some elements, and its low and high."""
    cut: Change = lambda array: array[start : start + AT_ONCE]  # noqa: E731
    mine = {name: cut(value) if is_array(value) else value for name, value in values.items()}
    demands = demands.mapped(cut)
    asked = Constrained(planner.surface, limited_surface(planner.surface, demands, decay))
    with library_of(demands.arrays[0] if demands.arrays else next(iter(mine.values()))).errstate(all="ignore"):
        plan = with_flops_range(answered(planner, asked, mine, demands), asked, mine, demands)
    return _kept(plan, demands)._asdict()


def _kept(plan: Plan, demands: Demands) -> Plan:
    """Return a plan with NaN for elements that break a limit on a number that follows from it."""
    for limit in demands.limits:
        value = getattr(plan, limit.name) if limit.kind == "checked" else None
        if value is not None:
            kept = value <= limit.value * (1.0 + KEPT) if limit.is_max else value >= limit.value * (1.0 - KEPT)
            plan = plan._replace(**{name: only_where(kept, getattr(plan, name)) for name in FIELDS})
    return plan


def _joined(xp: Any, parts: list[Value], shape: tuple[int, ...]) -> Value:
    return None if parts[0] is None else xp.concatenate([xp.atleast_1d(part) for part in parts]).reshape(shape)


def _shape(xp: Any, arrays: list[Value]) -> tuple[int, ...]:
    try:
        shape: tuple[int, ...] = xp.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError as error:
        sizes = " and ".join(str(array.shape) for array in arrays)
        raise InputError(f"arrays of shapes {sizes} do not go together", "expected arrays that broadcast") from error
    return shape
