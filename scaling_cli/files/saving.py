"""Laws to preset files: the ordinary schema with the draws beside it, so that a kill leaves the old pair or the new."""

import contextlib
import os
import re
import time
from collections.abc import Mapping
from shlex import quote

from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import Draws, Figure, Law, Minimum, Relation, Variable
from scaling_cli.errors import FileError, InputError
from scaling_cli.files.draws import checksum
from scaling_cli.files.presets import SCHEMA, parse_law
from scaling_cli.files.reading import TEMPORARY, read_text, refuse_target, write_text
from scaling_cli.files.values import Number
from scaling_cli.files.yaml_text import yaml_text

STALE = 3600.0  # seconds after which no save can still be writing a temporary file
ENDINGS = (".yaml", ".yml")
# how many levels of each section stand on lines of their own
DEEP = {
    "source": 1, "conventions": 1, "variables": 1, "let": 1, "relations": 2, "checks": 1, "notes": 1, "manifest": 1,
}  # fmt: skip
Tree = dict[str, object]


def save_law(
    law: Law,
    path: str,
    *,
    draws: Draws | None = None,
    manifest: Mapping[str, str | float] | None = None,
    force: bool = False,
) -> None:
    """Write a law as a preset file, and its draws beside it as `<name>.draws-<checksum>.csv`.

    The draws come first, under a name that their content gives; then the preset replaces the old one in one step; then
    older draws of this preset are removed, but for those that another preset beside it names. So at any moment preset
    and draws are the old pair or the new one.

    Args:
        law: what to write; read back, it is the same law.
        path: the file, ending in .yaml or .yml; a symbolic link stays and its target is written.
        draws: refits; where None, those that the law carries, unless they follow from a covariance in it.
        manifest: texts and numbers that say how the law came about; where None, the law's own.
        force: replace an existing file.

    Raises: FileError when the file exists and force is false, when it cannot be written, or when what would stand in
        it is no preset; InputError for a number that is not finite.
    """
    check_target(path, force=force)
    draws = draws or _carried(law)
    target = os.path.realpath(path)
    table = _table(draws) if draws else ""
    sha256 = checksum(table)
    name = f"{_stem(target)}.draws-{sha256[:8]}.csv"
    law = _with_facts(law, draws, {"file": name, "sha256": sha256}, manifest)
    text = yaml_text(_law(law), deep=DEEP)
    beside = os.path.join(os.path.dirname(target), name)
    is_new = not os.path.lexists(beside)
    try:
        if draws:
            write_text(beside, table, force=True)
        parse_law(text, path)  # what could not be read back must not replace what can
        write_text(path, text, force=force)
    finally:
        if is_new and not _mentions(path, name):  # it came to nothing
            with contextlib.suppress(OSError):
                os.unlink(beside)
    _remove_older(target, name if draws else "")


def check_target(path: str, *, force: bool = False) -> None:
    """Refuse a name under which no preset can be written, before the work of making one.

    Args:
        path: the file.
        force: whether an existing file may be replaced.

    Raises: InputError for no name at all; FileError when it is none of a preset, when the file exists and force is
        false, or without its folder.
    """
    if not path:
        raise InputError("the preset to write has no name", "expected one that ends in .yaml: my-law.yaml")
    if not path.endswith(ENDINGS):
        raise FileError(path, "is no name of a preset", "expected one that ends in .yaml")
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise FileError(path, f"cannot write: there is no folder {folder}", f"make it first: mkdir -p {quote(folder)}")
    refuse_target(path, force=force)


def _carried(law: Law) -> Draws | None:
    if law.draws is None:
        return None
    stated = law.relations[law.draws.relation].uncertainty
    return None if "covariance" in stated and "draws" not in stated else law.draws


def _with_facts(law: Law, draws: Draws | None, place: Tree, manifest: Mapping[str, str | float] | None) -> Law:
    """Return the law as it is to be written: with this manifest, and its draws stated where they will be."""
    relations: dict[str, Relation] = {}
    for name, relation in law.relations.items():
        uncertainty = {key: value for key, value in relation.uncertainty.items() if key != "draws"}
        if draws and draws.relation == name:
            uncertainty.update(level=draws.level, draws=place)
        relations[name] = relation._replace(uncertainty=uncertainty)
    if draws and draws.relation not in relations:
        raise InputError(f"the draws are of {draws.relation!r}, which is no relation of {law.id}")
    return law._replace(relations=relations, manifest=law.manifest if manifest is None else manifest)


def draws_checksum(draws: Draws) -> str:
    """Return the SHA-256 of the file that `save_law` writes for these draws."""
    return checksum(_table(draws))


def _table(draws: Draws) -> str:
    rows = [",".join(repr(float(value)) for value in row) for row in draws.rows]
    return "\n".join([",".join(draws.names), *rows]) + "\n"


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


def _mentions(path: str, name: str) -> bool:
    """Whether a preset names a file of draws; in doubt it does."""
    try:
        return name in read_text(path)
    except FileError:
        return os.path.lexists(path)


def _remove_older(target: str, kept: str) -> None:
    """Remove what a kill has left of earlier saves, and draws of this preset that none there names."""
    folder, stem = os.path.dirname(target), _stem(target)
    ours = re.escape(stem) + r"\.draws-[0-9a-f]{8}\.csv"
    half = re.compile(TEMPORARY.format(f"{ours}|{re.escape(os.path.basename(target))}"))
    with contextlib.suppress(OSError):
        names = os.listdir(folder)
        others = [path for name in names if name.endswith(ENDINGS) and (path := os.path.join(folder, name)) != target]
        for name in names:
            path = os.path.join(folder, name)
            old = half.fullmatch(name) and time.time() - os.lstat(path).st_mtime > STALE
            if old or (re.fullmatch(ours, name) and name != kept and not any(_mentions(it, name) for it in others)):
                os.unlink(path)


def _law(law: Law) -> Tree:
    """Return the preset as plain data, in the order of the schema."""
    found: Tree = {
        "schema": SCHEMA,
        "id": law.id,
        "aliases": law.aliases,
        "title": law.title,
        "source": law.source,
        "conventions": law.conventions,
        "variables": {name: _variable(variable) for name, variable in law.variables.items()},
        "coefficients": _coefficients(law.coefficients, law.digits),
        "let": {name: formula.text for name, formula in law.let.items()},
        "relations": {name: _relation(relation) for name, relation in law.relations.items()},
        "frontier": law.frontier,
        "checks": [_figure(figure) for figure in law.figures],
        "notes": law.notes,
        "supersedes": law.supersedes,
        "superseded_by": law.superseded_by,
        "manifest": law.manifest,
    }
    return _without_empty(found)


def _variable(variable: Variable) -> Tree:
    default = variable.default.text if isinstance(variable.default, Formula) else variable.default
    return _without_empty({"unit": variable.unit, "default": default, "meaning": variable.meaning})


def _coefficients(values: Mapping[str, float | None], digits: Mapping[str, str]) -> dict[str, float | None]:
    """Return values with the digits of their source, where those still give the value."""
    return {
        name: Number(digits[name]) if name in digits and float(digits[name]) == value else value
        for name, value in values.items()
    }


def _relation(relation: Relation) -> Tree:
    best = relation.formula
    form: Tree = (
        {"minimise": best.formula.text, "over": {best.variable: [best.low, best.high]}}
        if isinstance(best, Minimum)
        else {"formula": best.text}
    )
    rest: Tree = {
        "coefficients": _coefficients(relation.coefficients, relation.digits),
        "status": relation.status,
        "where": relation.where,
        "valid": relation.valid,
        "uncertainty": relation.uncertainty,
        "unit": relation.unit,
        "meaning": relation.meaning,
        "gives": relation.gives,
        "note": relation.note,
    }
    return form | _without_empty(rest)


def _figure(figure: Figure) -> Tree:
    found = _without_empty(figure._asdict())
    if figure.kind == Figure._field_defaults["kind"]:
        del found["kind"]
    order = ("of", "given", "plan", "per", "expect", "tolerance", "kind", "where", "note")
    return {key: found[key] for key in order if key in found}


def _without_empty(tree: Mapping[str, object]) -> Tree:
    return {key: value for key, value in tree.items() if value is not None and value not in ("", (), [], {})}
