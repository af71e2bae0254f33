"""Whether a model is too large or too small for its compute, what that wastes, and what it would take to repair it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from scaling_cli.core.answers import Plan
from scaling_cli.core.architectures import Counts
from scaling_cli.core.comparisons import ask_each, plan_law
from scaling_cli.core.demands import INFERENCE_FLOPS
from scaling_cli.core.duals import Value
from scaling_cli.core.knowns import check_counts, check_sizes, number
from scaling_cli.core.laws import Law
from scaling_cli.core.models import MIXTURE, KnownModel
from scaling_cli.core.plans import DIFFERENT, Planner
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.relations import Settings
from scaling_cli.errors import InputError, NoAnswer

Found = TypeVar("Found")
TOO_LARGE, ABOUT_RIGHT, TOO_SMALL = "too large", "about right", "too small"
WITH_EXPERTS = "total_with_experts"  # what some laws of mixtures count: more than a token meets
LITTLE_WASTE = 0.01
"""Share of the compute that is not worth a verdict; ours to choose."""

LITTLE_RATIO = 1.2
"""Factor in params from a stated split that is not worth one: it costs 1 % of the compute on the loss surface of
Hoffmann et al. 2022 (0.4 to 3 % on the others shipped, by our count), so both say the same."""


class Subject(NamedTuple):
    """A model to diagnose.

    Fields:
        name: as people call it; empty for bare numbers, which are then what the law counts.
        params, tokens: N, where `counts` says nothing else, and D.
        counts: N by what a law counts, such as {"non_embedding": 6.5e9}.
        notes: what is to be said of it, whatever the law.
    """

    name: str
    params: float
    tokens: float
    counts: Mapping[str, float] = {}
    notes: tuple[str, ...] = ()

    def params_for(self, law: Law) -> float:
        """Return N as the law counts it, as far as that is known."""
        return self.counts.get(law.params_kind, self.params)

    @property
    def is_mixture(self) -> bool:
        """Whether a token passes through some of the params only, which `notes` tell."""
        return self.counts.get(WITH_EXPERTS, self.params) > self.params

    def counting_notes(self, law: Law) -> Iterator[str]:
        """Say which params stand for N."""
        kind, shown = law.params_kind, format_quantity(self.params_for(law), "params")
        if kind == "unstated" or (kind == "total" and self.is_mixture):
            return
        if kind in self.counts and len(set(self.counts.values())) > 1:
            yield f"{law.id}: counts {kind} params, of which {self.name} has {shown}"
        elif self.name and kind not in self.counts:
            yield f"{law.id}: counts {kind} params; {self.name}'s {shown}, embeddings in, stand for them"
        elif not self.name and kind != "total":
            yield f"{law.id}: counts {kind} params, and {shown} is taken as that"


class Diagnosis(NamedTuple):
    """What one law says of a model. None where it says nothing.

    Fields:
        plan: the run: its flops by the law, and by the loss surface its loss, the optimum and the waste.
        model: what it is called.
        verdict: too large, about right or too small for its compute.
        frontier_params, frontier_tokens, frontier_loss: the law's own split of the same flops, and its loss.
        params_ratio: params over frontier_params.
        params_same_loss: the params that reach the loss with plan.flops_same_loss.
        repair_tokens, repair_flops: of a model too large: the tokens and the budget for which it is the right size.
        breakeven_tokens: of a model too small: the tokens to serve until being small has paid for the extra training;
            None for a law whose N counts experts that a token does not meet.
    """

    plan: Plan
    model: str = ""
    verdict: str | None = None
    frontier_params: float | None = None
    frontier_tokens: float | None = None
    frontier_loss: float | None = None
    params_ratio: float | None = None
    params_same_loss: float | None = None
    repair_tokens: float | None = None
    repair_flops: float | None = None
    breakeven_tokens: float | None = None

    @property
    def extra_flops(self) -> float | None:
        """What the model was trained with beyond the least that reaches its loss, FLOPs."""
        if self.plan.flops is None or self.plan.flops_same_loss is None:
            return None
        return float(self.plan.flops - self.plan.flops_same_loss)

    @property
    def params_saved(self) -> float | None:
        """How many params fewer it has than the model that reaches its loss with the least training."""
        if self.plan.params is None or self.params_same_loss is None:
            return None
        return float(self.params_same_loss - self.plan.params)

    @property
    def loss_gain(self) -> float | None:
        """How much lower the law's own split of the same flops lies on the loss surface."""
        if self.plan.loss is None or self.frontier_loss is None:
            return None
        return float(self.plan.loss - self.frontier_loss)


def known_subject(model: KnownModel, tokens: float | None = None) -> Subject:
    """Return a known model as a subject; of a mixture of experts, N is the active params.

    Args:
        model: the model.
        tokens: other tokens than it was trained on.

    Raises: InputError where nobody published how many params or tokens it has.
    """
    figures = {
        "active params" if model.kind == MIXTURE else "params": model.active_params,
        "tokens": tokens or model.tokens,
    }
    missing = [name for name, value in figures.items() if value is None]
    params, seen = figures.values()
    if params is None or seen is None:
        known = f"--model {model.id} --tokens 2T" if params else "--params 70B --tokens 1T"
        raise InputError(f"{model.name}: nobody published its {' and '.join(missing)}", f"give what you know: {known}")
    whole = params if model.params is None else model.params
    counts = {"total": params, "active": params, WITH_EXPERTS: whole}
    return Subject(model.name, params, seen, counts, tuple(_about(model, seen)))


def _about(model: KnownModel, tokens: float) -> Iterator[str]:
    if model.tokens is not None and tokens != model.tokens:
        yield f"{model.name}: on other tokens than the {format_quantity(model.tokens, 'tokens')} it was trained on"
    if model.kind == MIXTURE:
        yield (
            f"{model.name}: a mixture of experts: its {format_quantity(model.active_params, 'params')} active params "
            f"decide its compute and stand for N, for a law of dense models too; in all it has "
            f"{format_quantity(model.params, 'params')}"
        )
    if model.kind == "enc-dec":
        yield f"{model.name}: an encoder-decoder: a token crosses one half of it, so 6ND is twice its compute"
    elif tokens == model.tokens and model.flops_published and model.flops_6nd:
        ratio = model.flops_published / model.flops_6nd
        if abs(ratio - 1.0) > DIFFERENT:
            shown = format_quantity(model.flops_published, "flops")
            yield f"{model.name}: {shown} FLOPs are published, {ratio:.3g}x 6ND; a law is asked by its own count of C"


def params_by_kind(counts: Counts) -> dict[str, float]:
    """Return N of a counted architecture by what laws count; of a mixture of experts, what a token passes through."""
    active = float(counts.params_active)
    tables = float(counts.params_total - counts.params_non_embedding)
    return {
        "total": active, "active": active, "non_embedding": active - tables, WITH_EXPERTS: float(counts.params_total),
    }  # fmt: skip


def counted_subject(name: str, counts: Counts, tokens: float, notes: Sequence[str] = ()) -> Subject:
    """Return a counted architecture as a subject: of a mixture of experts, N is the active params.

    Args:
        name: what it is called.
        counts: its exact counts.
        tokens: D.
        notes: what its file leaves open.
    """
    active, by_kind = float(counts.params_active), params_by_kind(counts)
    said = [f"{name}: {note}" for note in notes]
    if counts.params_active < counts.params_total:
        said.append(f"{name}: a mixture of experts: N is what a token passes through, for a law of dense models too")
    return Subject(name, active, tokens, by_kind, tuple(said))


def diagnose_laws(laws: Sequence[Law], subject: Subject, settings: Settings) -> list[Diagnosis]:
    """Return each law's diagnosis; a law that has none says why in its plan's notes.

    Raises: what the first law raised, when no law can answer.
    """
    found: dict[str, Diagnosis] = {}

    def question(law: Law, mine: Settings) -> Plan:
        found[law.id] = diagnose_law(law, subject, mine)
        return found[law.id].plan

    plans = ask_each(
        laws, settings, question, lambda law: Plan(law.id, params=subject.params_for(law), tokens=subject.tokens)
    )
    return [found.get(plan.law, Diagnosis(plan, subject.name)) for plan in plans]


def diagnose_law(law: Law, subject: Subject, settings: Settings) -> Diagnosis:
    """Return what a law says of a model.

    Args:
        law: the law.
        subject: the model; one, no array.
        settings: values of the law's declared variables.

    Returns: the verdict is `about right` where the model wastes at most 1 % on the loss surface, lies within a factor
        of 1.2 of the split that the law states, or between the two: where they differ, the law knows no better.
        Beyond them it is too large or too small.
    Raises: NoAnswer where the law knows neither a split nor a minimum of its loss; InputError for a wrong value.
    """
    given = {"params": subject.params_for(law), "tokens": subject.tokens}
    known = check_counts({name: number(name, value) for name, value in given.items()})  # no arrays
    planner = Planner(law, settings)
    plan = plan_law(law if "loss" in law.relations else law._replace(draws=None), known, settings)
    split, problem = _asked(law, lambda: _split(planner, plan.flops))
    if split is None and plan.optimal_params is None:
        raise NoAnswer(problem or f"{law.id} knows no optimum", "`scaling laws` lists what each law relates")
    notes = (*subject.counting_notes(law), *plan.notes, *([problem] if problem else []))
    diagnosis = Diagnosis(plan._replace(notes=notes), subject.name)
    if split:
        ratio = known["params"] / split[0]
        diagnosis = diagnosis._replace(frontier_params=split[0], frontier_tokens=split[1], params_ratio=ratio)
    diagnosis = diagnosis._replace(verdict=_verdict(diagnosis, known["params"], own=planner.frontier.states_split))
    return _with_price(_with_repair(diagnosis, planner), planner)


def _verdict(diagnosis: Diagnosis, params: float, *, own: bool) -> str:
    plan = diagnosis.plan
    optima = [best for best in (diagnosis.frontier_params, plan.optimal_params) if best is not None]
    little = plan.waste is not None and plan.waste <= LITTLE_WASTE
    ratio = diagnosis.params_ratio if own else None
    near = ratio is not None and 1.0 / LITTLE_RATIO <= ratio <= LITTLE_RATIO
    if little or near or min(optima) <= params <= max(optima):
        return ABOUT_RIGHT
    return TOO_LARGE if params > max(optima) else TOO_SMALL


def _with_repair(diagnosis: Diagnosis, planner: Planner) -> Diagnosis:
    """Add the budget for which a model that is too large has the right size."""
    if diagnosis.verdict != TOO_LARGE or diagnosis.frontier_params is None:
        return diagnosis
    law, params = planner.law, diagnosis.plan.params
    flops, problem = _asked(law, lambda: planner.frontier.flops_for_params(params))
    split, trouble = _asked(law, lambda: _split(planner, flops)) if flops else (None, problem)
    if split is None:
        plan = diagnosis.plan
        return diagnosis._replace(plan=plan._replace(notes=(*plan.notes, trouble)))
    return diagnosis._replace(repair_flops=flops, repair_tokens=split[1])


def _with_price(diagnosis: Diagnosis, planner: Planner) -> Diagnosis:
    """Add what the loss surface says: the loss of the law's own split, and what a model too small saves when served."""
    plan, law, surface = diagnosis.plan, planner.law, planner.surface
    params, tokens = diagnosis.frontier_params, diagnosis.frontier_tokens
    if surface.has_loss and params and tokens:
        loss, _ = _asked(law, lambda: surface.loss_of(params, tokens))
        diagnosis = diagnosis._replace(frontier_loss=loss)
    if plan.flops_same_loss is None:
        return diagnosis
    same, _ = _asked(law, lambda: surface.optimal_params(plan.flops_same_loss))
    diagnosis = diagnosis._replace(params_same_loss=same)
    extra, saved = diagnosis.extra_flops, diagnosis.params_saved
    if diagnosis.verdict != TOO_SMALL or not extra or not saved or saved < 0.0 or law.params_kind == WITH_EXPERTS:
        return diagnosis
    return diagnosis._replace(breakeven_tokens=extra / (INFERENCE_FLOPS * saved))


def _split(planner: Planner, flops: Value) -> tuple[float, float]:
    params, tokens = planner.frontier.split(flops)
    check_sizes(planner.law.id, params=params, tokens=tokens)
    return params, tokens


def _asked(law: Law, question: Callable[[], Found]) -> tuple[Found | None, str]:
    """Return an answer, or None and why there is none."""
    try:
        return question(), ""
    except NoAnswer as error:
        return None, error.message
    except (ArithmeticError, ValueError):
        return None, f"{law.id}: the answer lies beyond what a double can hold"
