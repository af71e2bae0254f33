"""The `checks` of a preset: published figures, read and questioned as far as a file alone can be."""

from scaling_cli.core.figures import ANSWERS
from scaling_cli.core.laws import KINDS, QUANTITIES, Figure
from scaling_cli.files.sections import Section

FIGURE_KEYS = ("of", "given", "plan", "per", "expect", "tolerance", "kind", "where", "note")


def read_figure(section: Section, top: Section) -> Figure:
    """Return one figure.

    Args:
        section: the figure.
        top: the whole preset, which says what relations and variables there are.

    Raises: FileError for a figure that cannot be asked.
    """
    section.allow(FIGURE_KEYS)
    of, kind = section.text("of"), section.text("kind", "reproduce")
    given, plan, per = (section.section(key).numbers() for key in ("given", "plan", "per"))
    relations = top.section("relations")
    if of not in relations and not (of in ANSWERS and (plan or of == "flops")):
        section.fail("of", f"is {of!r}: expected a relation of this law, or with plan one of {', '.join(ANSWERS)}")
    if kind not in KINDS:
        section.fail("kind", f"is {kind!r}: expected one of {', '.join(KINDS)}")
    if given and plan:
        section.fail("plan", "stands beside given: a figure either evaluates a relation or asks the planner")
    for key, names in (("given", given), ("plan", plan), ("per", per)):
        for name in names:
            if name not in QUANTITIES and name not in top.section("variables"):
                section.section(key).fail(name, f"is neither one of {', '.join(QUANTITIES)} nor a variable of this law")
    if len(per) > 1 or not per.keys() <= {*given, *plan}:
        section.fail("per", "expected one name that given or plan also sets, such as per: {C: 10}")
    tolerance, expect = section.number("tolerance"), section.number("expect")
    if tolerance <= 0.0 or expect == 0.0:
        section.fail("tolerance", "expected a relative tolerance above zero of a figure other than zero")
    return Figure(of, expect, tolerance, given, plan, per, kind, section.text("where"), section.text("note"))
