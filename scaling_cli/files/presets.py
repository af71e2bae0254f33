"""Preset files to laws; an error names the line of what is wrong. The schema is presets/README.md."""

import os
import re

from scaling_cli.core.formulas import Formula, FormulaError
from scaling_cli.core.laws import QUANTITIES, STATUSES, Law, Minimum, Relation, Variable, check_names
from scaling_cli.core.relations import bind
from scaling_cli.errors import FileError, InputError, NoAnswer
from scaling_cli.files.checks import read_figure
from scaling_cli.files.reading import read_text
from scaling_cli.files.sections import Section, shown
from scaling_cli.files.values import Block, Number

SCHEMA = 1
MOST_SUB_FORMULAS = 64
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
LAW_KEYS = (
    "schema", "id", "aliases", "title", "source", "conventions", "variables", "coefficients", "let", "relations",
    "frontier", "checks", "notes", "supersedes", "superseded_by", "manifest",
)  # fmt: skip
SHORT_KEYS = ("schema", "id", "title", "a", "b", "anchor")
RELATION_KEYS = (
    "formula", "minimise", "over", "coefficients", "status", "where", "valid", "uncertainty", "unit", "meaning",
    "gives", "note",
)  # fmt: skip
SOURCE_KEYS = ("authors", "year", "arxiv", "doi", "url", "title", "read", "note")
CONVENTION_KEYS = ("params", "tokens", "loss", "flops", "domain", "corpus", "tokenizer")


def read_law(path: str, *, shipped: bool = False) -> Law:
    """Return the law in a preset file.

    Args:
        path: the file; '-' is stdin.
        shipped: whether it is one of ours, which must name its source and carry its file's name.

    Raises: FileError naming file, line and key.
    """
    return parse_law(read_text(path), path, shipped=shipped)


def parse_law(text: str, path: str, *, shipped: bool = False) -> Law:
    """Return the law in the text of a preset file; see `read_law`."""
    from scaling_cli.files.strict_yaml import parse_yaml  # a look-up of a shipped law that is packed needs no YAML

    return law_from(parse_yaml(text, path), path, shipped=shipped)


def law_from(block: Block, path: str, *, shipped: bool = False) -> Law:
    """Return the law in a parsed preset file; see `read_law`."""
    top = Section(block, path)
    if "schema" in top and top.number("schema") != SCHEMA:
        top.fail("schema", f"is {shown(top.block['schema'])}: this version reads schema {SCHEMA}")
    if "relations" not in top and ("anchor" in top or "a" in top):
        return _short_law(top.allow(SHORT_KEYS))
    law = _law(top.allow(LAW_KEYS))
    for keys, problem in check_names(law):
        raise FileError(path, f"{'.'.join(keys)}: {problem}", line=_line_of(top.block, keys))
    if shipped:
        _check_shipped(top, law)
    else:
        _check_circles(top, law)
    return _with_draws(law, top)


def _with_draws(law: Law, top: Section) -> Law:
    if not any({"draws", "covariance"} & relation.uncertainty.keys() for relation in law.relations.values()):
        return law
    from scaling_cli.files.draws import with_draws  # most laws carry none

    return with_draws(law, top.section("relations"))


def _law(top: Section) -> Law:
    relations = top.section("relations")
    if not relations.block:
        top.fail("relations" if "relations" in top else "", "has no relations: expected at least one, such as loss")
    if "id" not in top:
        top.fail("", "has no id: expected a name such as my-law")
    coefficients = top.section("coefficients")
    let = top.section("let")
    if len(let.block) > MOST_SUB_FORMULAS:
        top.fail("let", f"has {len(let.block)} sub-formulas: expected at most {MOST_SUB_FORMULAS}")
    return Law(
        id=_name(top, "id"),
        aliases=tuple(_check_name(top, "aliases", alias) for alias in top.texts("aliases")),
        title=top.text("title"),
        source=_source(top.section("source")),
        conventions={
            key: top.section("conventions").text(key) for key in top.section("conventions").allow(CONVENTION_KEYS)
        },
        variables={name: _variable(top.section("variables"), name) for name in top.section("variables")},
        coefficients=_coefficients(coefficients),
        digits=_digits(coefficients),
        let={name: _formula(let, name) for name in let},
        relations={name: _relation(relations, name, top.section("variables"), coefficients) for name in relations},
        frontier=_frontier(top, relations),
        figures=tuple(read_figure(section, top) for section in top.sections("checks")),
        notes=top.texts("notes"),
        supersedes=top.text("supersedes"),
        superseded_by=top.text("superseded_by"),
        manifest=top.section("manifest").facts(),
    )


def _short_law(top: Section) -> Law:
    """Return the pure exponent law {a, b, anchor: {flops, params}}."""
    a, b = top.number("a"), top.number("b")
    anchor = top.section("anchor").allow(("flops", "params"))
    flops, params = anchor.number("flops"), anchor.number("params")
    if abs(a + b - 1.0) > 1e-9:
        top.fail("b", f"is {b:g} with a = {a:g}: expected a + b = 1, since C = 6ND", f"write b: {1.0 - a:g}")
    for key, value in (("flops", flops), ("params", params)):
        if value <= 0.0:
            anchor.fail(key, f"is {value:g}: expected a number greater than zero")
    stem = os.path.splitext(os.path.basename(top.path))[0].lower()
    name = _name(top, "id") if "id" in top else stem
    if not NAME.fullmatch(name):
        top.fail("", f"has no id, and {name!r} is not a law's name", "add id: my-law")
    coefficients = {"N_anchor": params, "C_anchor": flops, "a": a}
    digits = {name: f"{value:g}" for name, value in coefficients.items()}
    split = Relation("optimal_params", Formula("N_anchor * (C / C_anchor)**a"), coefficients, digits, unit="params")
    return Law(id=name, title=top.text("title"), relations={split.name: split}, frontier={"params": split.name})


def _source(section: Section) -> dict[str, object]:
    source: dict[str, object] = {key: section.text(key) for key in section.allow(SOURCE_KEYS)}
    if "year" in section:
        source["year"] = int(section.number("year"))
    return source


def _variable(variables: Section, name: str) -> Variable:
    _check_word(variables, name)
    section = variables.section(name).allow(("unit", "default", "meaning"))
    default: float | Formula | None = None
    if "default" in section:
        value = section.block["default"]
        default = float(value) if isinstance(value, Number) else _formula(section, "default")
    return Variable(name, section.text("unit"), default, section.text("meaning"))


def _coefficients(section: Section) -> dict[str, float | None]:
    for name in section:
        _check_word(section, name)
    return {name: None if section.block[name] is None else section.number(name) for name in section}


def _digits(section: Section) -> dict[str, str]:
    return {name: value.text for name, value in section.block.items() if isinstance(value, Number)}


def _formula(section: Section, key: str) -> Formula:
    try:
        return Formula(section.text(key))
    except FormulaError as error:
        section.fail(key, f"(formula) {error}")


def _relation(relations: Section, name: str, variables: Section, shared: Section) -> Relation:
    _check_word(relations, name)
    section = relations.section(name).allow(RELATION_KEYS)
    coefficients = section.section("coefficients")
    status = section.text("status")
    if status and status not in STATUSES:
        section.fail("status", f"is {status!r}: expected one of {', '.join(STATUSES)}")
    valid = section.section("valid")
    for key in valid:
        if key not in QUANTITIES and key not in variables:
            valid.fail(key, f"is neither one of {', '.join(QUANTITIES)} nor a variable of this law")
    return Relation(
        name=name,
        formula=_minimum(section) if "minimise" in section or "over" in section else _required_formula(section),
        coefficients=_coefficients(coefficients),
        digits=_digits(coefficients),
        status=status,
        where=section.text("where"),
        valid={key: valid.interval(key) for key in valid},
        uncertainty=_uncertainty(section.section("uncertainty"), [*shared, *coefficients]),
        unit=section.text("unit"),
        meaning=section.text("meaning"),
        gives=section.text("gives"),
        note=section.text("note"),
    )


def _required_formula(section: Section) -> Formula:
    if "formula" not in section:
        section.fail("", "has no formula: expected such as formula: E + A / N**alpha")
    return _formula(section, "formula")


def _minimum(section: Section) -> Minimum:
    over = section.section("over")
    if "formula" in section or "minimise" not in section or len(over.block) != 1:
        section.fail(
            "over" if "minimise" not in section else "minimise",
            "stands with over: {name: [low, high]} and without a formula",
        )
    (name,) = over
    low, high = over.interval(name)
    if not 0.0 < low < high:
        over.fail(name, f"is [{low:g}, {high:g}]: expected 0 < low < high, since it is searched in logarithms")
    return Minimum(_formula(section, "minimise"), name, low, high)


def _uncertainty(section: Section, names: list[str]) -> dict[str, object]:
    section.allow(("level", "intervals", "standard_errors", "covariance", "draws"))
    found: dict[str, object] = {}
    if "level" in section:
        found["level"] = section.number("level")
    for key in ("intervals", "standard_errors"):
        for name in section.section(key):
            if name not in names:
                section.section(key).fail(name, "is no coefficient of this relation")
    if "intervals" in section:
        intervals = section.section("intervals")
        found["intervals"] = {name: intervals.interval(name) for name in intervals}
    if "standard_errors" in section:
        found["standard_errors"] = section.section("standard_errors").numbers()
    for key, parts in (("covariance", ("names", "rows")), ("draws", ("file", "sha256"))):
        if key in section:
            found[key] = dict(section.section(key).allow(parts).block)
    return found


def _frontier(top: Section, relations: Section) -> dict[str, str]:
    section = top.section("frontier").allow(("params", "tokens", "loss"))
    if "params" in section and "tokens" in section:
        section.fail("tokens", "stands beside params: one relation decides the split, the rest follows from flops")
    for key in section:
        if section.text(key) not in relations:
            section.fail(key, f"is {section.text(key)!r}: expected the name of a relation of this law")
    return {key: section.text(key) for key in section}


def _name(section: Section, key: str) -> str:
    return _check_name(section, key, section.text(key))


def _check_name(section: Section, key: str, name: str) -> str:
    if not NAME.fullmatch(name):
        section.fail(key, f"is {name[:40]!r}: expected a name of a-z 0-9 . _ -, at most 64 characters")
    return name


def _check_word(section: Section, name: str) -> None:
    if not WORD.fullmatch(name):
        section.fail(name, "is not a name for formulas: expected letters, digits and _, starting with a letter")


def _check_shipped(top: Section, law: Law) -> None:
    stem = os.path.splitext(os.path.basename(top.path))[0]
    if law.id != stem:
        top.fail("id", f"is {law.id!r} in a file named {stem}")
    for key in ("authors", "year", "title"):
        if not law.source.get(key):
            top.fail("source", f"has no {key}: a shipped preset names its source")
    for relation in law.relations.values():
        for key in ("status", "where"):
            if not getattr(relation, key):
                top.section("relations").fail(
                    relation.name, f"has no {key}: a shipped relation says how and where it was read"
                )


def _check_circles(top: Section, law: Law) -> None:
    needed = {variable.name: 1.0 for variable in law.variables.values() if variable.default is None}
    for name in law.relations:
        try:
            bind(law, name, needed)
        except InputError as error:
            top.section("relations").fail(name, f"goes in a circle: {error.message}")
        except NoAnswer:
            continue  # a form, or no value at these settings: said when it is asked


def _line_of(block: Block, keys: tuple[str, ...]) -> int:
    line = block.line
    for key in keys:
        line = block.lines.get(key, line)
        inner = block.get(key)
        if not isinstance(inner, Block):
            break
        block = inner
    return line
