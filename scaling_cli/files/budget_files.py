"""A budget file, `scaling.yaml`: named runs and a policy, strict; what is wrong is told with file, line and key."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from scaling_cli.core.demands import ALIASES, CHECKED, KINDS
from scaling_cli.core.findings import TOTAL
from scaling_cli.core.machine_budgets import is_machine_budget
from scaling_cli.core.machines import check_price
from scaling_cli.core.policies import FORMS, LEVELS, Policy, Rule, Rules, find_quantity, parse_limit, parse_share
from scaling_cli.core.quantities import parse_quantity
from scaling_cli.core.sheets import DEFAULT_LAW, DEFAULTS, ELSEWHERE, FIELDS, KNOWNS, Sheet, Spec
from scaling_cli.errors import FileError, InputError
from scaling_cli.files.catalogue import is_file
from scaling_cli.files.sections import Section, shown
from scaling_cli.files.strict_yaml import parse_yaml
from scaling_cli.files.values import Number

SCHEMA = 1
TOP = ("schema", "title", "defaults", "runs", "policy")
POLICY = ("laws", "each", "total", "runs")
LONGEST_NAME = 80  # characters of a run's name
WAYS = (*KNOWNS, "config", "max")  # what says a run: one of them at least
PLANNED = (*KINDS, *CHECKED, *ALIASES)  # what a run's own max and min may bound
SHOWN_NAME = 40  # characters of it in a message
TEXTS = ("text", "file")  # kinds that a number is never taken for
Values = dict[str, object]


def parse_budget(text: str, path: str) -> Sheet:
    """Return the budget that a YAML text holds.

    Args:
        text: the whole file.
        path: the file; what it names lies beside it.

    Raises: FileError with file, line and key: an unknown key, a value that is no such quantity, no run.
    """
    top = Section(parse_yaml(text, path), path).allow(TOP)
    version = top.block.get("schema", Number(str(SCHEMA)))
    if not isinstance(version, Number) or float(version) != SCHEMA:
        top.fail("schema", f"is {shown(version)}", f"this version reads schema {SCHEMA}")
    top.text("title")  # any text
    defaults = top.section("defaults")
    values, runs = _values(defaults, DEFAULTS), top.section("runs")
    specs = tuple(_spec(name, runs, values)._replace(lines=_lines(defaults, runs.section(name))) for name in runs)
    if not specs:
        top.fail("runs", "holds no run: nothing to check", "name one: {base: {params: 7B, tokens: 2T}}")
    return Sheet(specs, _policy(top.section("policy"), runs), path)


@contextmanager
def located(section: Section, key: str) -> Iterator[None]:
    """Give an InputError of what is done inside the file and line of a key."""
    try:
        yield
    except InputError as error:
        line = section.block.lines.get(key, section.block.line)
        raise FileError(section.path, error.message, *error.hints, line=line) from None


# runs


def _spec(name: str, runs: Section, defaults: Values) -> Spec:
    if not name.strip() or len(name) > LONGEST_NAME or name == TOTAL:
        problem, expected = f"runs holds a run named {_quoted(name)}", f"expected 1 to {LONGEST_NAME} characters, not"
        raise FileError(runs.path, problem, f"{expected} {TOTAL!r}", line=runs.block.lines[name])
    section = runs.section(name)
    if not section.block:
        runs.fail(name, "says nothing of the run", "expected such as {params: 7B, tokens: 2T}")
    values = {**defaults, **_values(section, tuple(FIELDS))}
    if not any(key in values for key in WAYS):
        runs.fail(name, "says neither its compute nor its size", "expected such as {params: 7B, tokens: 2T}")
    if "config" in values and "params" in values:
        section.fail("config", "stands beside params", "leave one out: a config says its params")
    return spec_of(name, values, line=runs.block.lines[name])


def _quoted(name: str) -> str:
    """Return a name as messages show it: in quotes, cut short with its length, safe for a terminal."""
    return ascii(name) if len(name) <= SHOWN_NAME else f"{ascii(name[:SHOWN_NAME])}... ({len(name)} characters)"


def _lines(defaults: Section, run: Section) -> dict[str, int]:
    """Return where the keys of a run stand, as Spec says them."""
    lines = {**defaults.block.lines, **run.block.lines}
    for key in ("max", "min"):
        lines |= {f"{key} {name}": line for name, line in run.section(key).block.lines.items()}
    return lines


def spec_of(name: str, values: Mapping[str, object], *, line: int = 0) -> Spec:
    """Return a run from its values by key of FIELDS."""
    known = {key: value for key in KNOWNS if isinstance(value := values.get(key), float | str)}
    settings = values.get("set")
    names = {"max": "most", "min": "least"}
    rest = {names.get(key, key): value for key, value in values.items() if key not in (*KNOWNS, *ELSEWHERE)}
    return Spec(
        name,
        str(values.get("law", DEFAULT_LAW)),
        settings if isinstance(settings, dict) else {},
        known,
        str(values.get("config", "")),
        rest,
        line,
    )


def _values(section: Section, allowed: tuple[str, ...]) -> Values:
    """Return what a mapping says of runs, each value read by its kind."""
    section.allow(allowed)
    for key, value in section.block.items():
        if value is None:
            section.fail(key, "is empty", "give a value, or leave the key out")
    return {key: _value(section, key) for key in section}


def _value(section: Section, key: str) -> object:
    kind = FIELDS[key].kind
    if kind == "limits":
        inner = section.section(key).allow(PLANNED)
        return {name: inner.text(name) for name in inner}
    if kind == "settings":
        return section.section(key).numbers()
    if kind in TEXTS and not _is_words(section.block[key]):
        section.fail(key, f"is {shown(section.block[key])}", "expected text; quote it where it reads as something else")
    with located(section, key):
        value = read_value(section.text(key), kind, ".".join((*section.keys, key)))
    names_file = isinstance(value, str) and kind in ("file", "price") and (key == "config" or is_file(str(value)))
    return beside(section.path, str(value)) if names_file else value


def _is_words(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def read_value(text: str, kind: str, name: str) -> float | str:
    """Return a value of a run from its text; `name` is how it was given, for messages.

    Raises: InputError for what is no such quantity.
    """
    if kind in TEXTS or (kind == "price" and text.endswith((".yaml", ".yml"))):
        return text
    if kind == "flops" and is_machine_budget(text):
        return text
    if kind == "share":
        return parse_share(text, name)
    if kind in ("price", "dollars"):
        price = parse_quantity(text.strip().removeprefix("$"), "number", name)
        check_price(price, name)
        return price
    return parse_quantity(text, kind, name)


def read_options(texts: Mapping[str, str]) -> Values:
    """Return values of a run from texts of options, by the keys of FIELDS."""
    return {key: read_value(text, FIELDS[key].kind, f"--{key.replace('_', '-')}") for key, text in texts.items()}


def beside(path: str, name: str) -> str:
    """Return a file that another file names: relative to the folder of that one."""
    return name if path == "-" or name == "-" else os.path.join(os.path.dirname(path), name)


# the policy


def _policy(section: Section, runs: Section) -> Policy:
    section.allow(POLICY)
    single = section.section("runs")
    for name in single:
        if name not in runs:
            single.fail(name, "is no run of this file", f"its runs: {', '.join(list(runs)[:10])}")
    policy = Policy(
        _rules(section.section("each")),
        _rules(section.section("total"), of_total=True),
        {name: _rules(single.section(name)) for name in single},
        tuple(beside(section.path, law) if is_file(law) else law for law in section.texts("laws")),
        section.block.lines.get("laws", 0),
    )
    if not all(map(_is_words, policy.laws)):
        section.fail("laws", "holds an empty name", "name laws: laws: [chinchilla, openai]")
    if any(rule.quantity == "disagreement" for rule in policy.rules) and len(set(policy.laws)) < 2:
        section.fail("laws", "holds no two laws that could disagree", "name them: laws: [chinchilla, openai]")
    return policy


def _rules(section: Section, *, of_total: bool = False) -> Rules:
    section.allow(LEVELS)
    return tuple(
        rule
        for level in section
        for form in section.section(level).allow(tuple(FORMS))
        for rule in _limits(section.section(level).section(form), level, form, of_total=of_total)
    )


def _limits(section: Section, level: str, form: str, *, of_total: bool) -> Iterator[Rule]:
    seen: dict[str, str] = {}
    for key in section:
        where = ".".join((*section.keys, key))
        with located(section, key):
            quantity = find_quantity(key, form, where=where, of_total=of_total)
            limit = parse_limit(section.text(key), quantity, form=form, name=where)
        if quantity.name in seen:
            section.fail(key, f"limits the same as {seen[quantity.name]}", "keep one of them")
        seen[quantity.name] = key
        yield Rule(level, form, quantity.name, limit, section.block.lines[key])
