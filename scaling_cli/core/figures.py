"""Published figures put to a law: does it give what its source printed, and which constants does that hold in place?"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from scaling_cli.core.laws import QUANTITIES, Figure, Law, names_below
from scaling_cli.core.plans import Planner
from scaling_cli.core.relations import bind
from scaling_cli.core.surface import Surface
from scaling_cli.errors import InputError, NoAnswer, ScalingError

ANSWERS = ("params", "tokens", "flops", "loss", "tokens_per_param")
EVIDENCE = ("reproduce", "data")
CHANGE = 1.1  # a constant is checked when this factor makes a figure fail


class Verdict(NamedTuple):
    """What a law gives for a published figure. `difference` is relative to the published value."""

    figure: Figure
    got: float | None
    difference: float | None
    holds: bool
    problem: str = ""

    @property
    def word(self) -> str:
        """'holds' or 'fails'; an erratum holds when the law misses the printed figure."""
        return "holds" if self.holds else "fails"


def check_figure(law: Law, figure: Figure) -> Verdict:
    """Return whether a law gives a published figure. Never raises: a law that cannot answer fails."""
    try:
        got = _value(law, figure, 1.0)
        if figure.per:
            ((_, factor),) = figure.per.items()
            got = _value(law, figure, factor) / got
    except (ScalingError, ArithmeticError, ValueError) as error:
        return Verdict(figure, None, None, holds=False, problem=str(error).replace("\n ", ";"))
    difference = got / figure.expect - 1.0
    near = abs(difference) <= figure.tolerance
    return Verdict(figure, got, difference, holds=near != (figure.kind == "errata"))


def _value(law: Law, figure: Figure, factor: float) -> float:
    point = {**figure.given, **figure.plan}
    for name in figure.per:
        point[name] *= factor
    quantities = {name: value for name, value in point.items() if name in QUANTITIES}
    settings = {name: value for name, value in point.items() if name not in QUANTITIES}
    if not figure.plan:
        return _relation_value(law, figure.of, quantities, settings)
    plan = Planner(law, settings).plan({QUANTITIES[name]: value for name, value in quantities.items()})
    answer = getattr(plan, figure.of) if figure.of in ANSWERS else plan.relations.get(figure.of)
    if answer is None:
        raise NoAnswer(f"{law.id} gives no {figure.of} there")
    return float(answer)


def _relation_value(law: Law, name: str, quantities: Mapping[str, float], settings: Mapping[str, float]) -> float:
    surface = Surface(law, settings)
    if name == "flops" and name not in law.relations:
        if not {"N", "D"} <= quantities.keys():
            raise InputError(f"{law.id}: flops need params (N) and tokens (D)")
        return float(surface.flops(quantities["N"], quantities["D"]))
    bound = bind(law, name, settings)
    known = {**quantities, **derived(surface, bound.inputs - quantities.keys(), quantities)}
    return float(bound(**{letter: known[letter] for letter in bound.inputs}))


def derived(surface: Surface, missing: Iterable[str], known: Mapping[str, float]) -> dict[str, float]:
    """Return the missing quantities that the law's budget or loss gives.

    Raises: InputError for one that nothing gives.
    """
    found: dict[str, float] = {}
    for letter in missing:
        if letter == "C" and {"N", "D"} <= known.keys():
            found[letter] = surface.flops(known["N"], known["D"])
        elif letter == "D" and {"C", "N"} <= known.keys():
            found[letter] = surface.tokens_for(known["C"], known["N"])
        elif letter == "N" and {"C", "D"} <= known.keys():
            found[letter] = surface.params_for(known["C"], known["D"])
        elif letter == "L" and {"N", "D"} <= known.keys() and surface.has_loss:
            found[letter] = surface.loss_of(known["N"], known["D"])
        else:
            raise InputError(f"{surface.law.id}: {QUANTITIES[letter]} ({letter}) is not given")
    return found


def checked_constants(law: Law) -> list[tuple[str | None, str]]:
    """Return the (relation, name) of each constant that a published figure holds in place.

    A constant is held when changing it by 10 % makes a figure of kind reproduce or data fail.
    """
    evidence = [figure for figure in law.figures if figure.kind in EVIDENCE and check_figure(law, figure).holds]
    held = []
    for relation, name, value in law.constants():
        if value is not None:
            changed = law.with_constant(relation, name, value * CHANGE)
            if any(not check_figure(changed, figure).holds for figure in evidence):
                held.append((relation, name))
    return held


def unreproduced(law: Law, relations: Iterable[str]) -> list[str]:
    """Return those relations with constants that no published figure reaches.

    A law without a source (the user's own) has none.
    """
    if not law.source:
        return []
    reached: set[str] = set()
    for figure in law.figures:
        if figure.kind in EVIDENCE:
            reached |= names_below(
                law, [figure.of, "loss", "flops", *law.frontier.values()] if figure.plan else [figure.of]
            )
    return [name for name in relations if name in law.relations and name not in reached and _has_constants(law, name)]


def _has_constants(law: Law, name: str) -> bool:
    below = names_below(law, [name])
    return any(other in law.coefficients for other in below) or any(
        law.relations[other].coefficients for other in below if other in law.relations
    )
