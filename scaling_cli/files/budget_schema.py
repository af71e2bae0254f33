"""The JSON Schema of a budget file, made of the tables that the reader follows, for editors that complete and check."""

import json
import os
from collections.abc import Iterable

from scaling_cli.core.findings import TOTAL
from scaling_cli.core.policies import ALIASES, FORMS, LEVELS, QUANTITIES, Form
from scaling_cli.core.quantities import BYTE_UNITS, SUFFIXES
from scaling_cli.core.sheets import DEFAULTS, FIELDS, Field
from scaling_cli.files.budget_files import LONGEST_NAME, PLANNED, SCHEMA, WAYS
from scaling_cli.files.catalogue import PRESETS
from scaling_cli.files.reading import write_text

PATH = os.path.join(PRESETS, "budget.schema.json")
Json = dict[str, object]

TEXT: Json = {"type": "string", "pattern": r"\S"}
SECTION = ["object", "null"]  # one whose keys were all commented out is empty
DIGITS = "[0-9]+(_[0-9]+)*"
NUMBER = rf"\+?({DIGITS}(\.({DIGITS})?)?|\.{DIGITS})([eE][+-]?{DIGITS})?"
NOT_ZERO = "(?=[^eE]*[1-9])"
NOUNS = {"params": "params?|parameters?", "tokens": "tokens?"}


def schema() -> Json:
    """Return the schema, draft 2020-12."""
    names = {"maxLength": LONGEST_NAME, "pattern": r"\S", "not": {"const": TOTAL}}
    runs = {"additionalProperties": {"$ref": "#/$defs/run"}, "propertyNames": names}
    top = {
        "schema": {"const": SCHEMA, "description": "Version of this format."},
        "title": {"type": ["string", "number", "boolean", "null"]},
        "defaults": _section(
            {name: _field(FIELDS[name]) for name in DEFAULTS}, "What every run has unless it says so."
        ),
        "runs": {"type": "object", "minProperties": 1, "description": "The runs by name.", **runs},
        "policy": {"$ref": "#/$defs/policy"},
    }
    of_run, of_total = ({scope: _rules(of_total=scope == "total") for scope in ("run", "total")}).values()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A budget of training runs, for `scaling check`",
        **_section(top, "", kind="object"),
        "required": ["runs"],
        "$defs": {
            "run": _run(),
            "policy": _policy(),
            "rules_of_run": of_run,
            "rules_of_total": of_total,
            **{_limits_name(form, of_total=False): _limits(form, of_total=False) for form in FORMS.values()},
            **{
                _limits_name(form, of_total=True): _limits(form, of_total=True)
                for form in FORMS.values()
                if form.quantities(of_total=True)
            },
            **_values(),
        },
    }


def schema_text() -> str:
    """Return the schema as the file that ships."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def write_schema() -> None:
    """Bring the file that ships up to date."""
    write_text(PATH, schema_text(), force=True)


# runs


def _run() -> Json:
    ways = [{"required": [name]} for name in WAYS]
    apart = {"not": {"required": ["config", "params"]}}
    return {**_section({name: _field(field) for name, field in FIELDS.items()}, "One run.", kind="object"),
            "anyOf": ways, **apart}  # fmt: skip


def _field(field: Field) -> Json:
    if field.kind == "limits":
        one_of = {"type": "object", "propertyNames": {"enum": list(PLANNED)}}
        return {**one_of, "additionalProperties": {"type": ["number", "string"]}, "description": field.meaning}
    if field.kind == "settings":
        return {"type": "object", "additionalProperties": {"type": "number"}, "description": field.meaning}
    return {**_value("text" if field.kind == "file" else field.kind), "description": field.meaning}


# the policy


def _policy() -> Json:
    each, total = ({"$ref": f"#/$defs/rules_of_{scope}"} for scope in ("run", "total"))
    laws: Json = {"anyOf": [TEXT, {"type": ["array", "null"], "items": TEXT}]}
    runs: Json = {"type": SECTION, "additionalProperties": each}
    return _section(
        {
            "laws": {**laws, "description": "Laws whose disagreement counts."},
            "each": {**each, "description": "What each run must keep."},
            "total": {**total, "description": "What the sum over all runs must keep."},
            "runs": {**runs, "description": "What single runs must keep instead, by name."},
        },
        "What the runs must keep.",
    )


def _rules(*, of_total: bool) -> Json:
    """Return the schema of deny and warn, each with its forms of limits."""
    forms: Json = {
        form.name: {"$ref": f"#/$defs/{_limits_name(form, of_total=of_total)}", "description": form.meaning}
        for form in FORMS.values()
        if form.quantities(of_total=of_total)
    }
    return _section({level: _section(forms, "") for level in LEVELS}, "")


def _limits_name(form: Form, *, of_total: bool) -> str:
    scope = "total" if of_total else "run"
    return f"limits_of_{scope}_by_{form.relative_to}" if form.relative_to else f"limits_of_{scope}"


def _limits(form: Form, *, of_total: bool) -> Json:
    """Return the schema of limits by name of quantity, aliases too, of which one name may be used."""
    names = {name: name for name in form.quantities(of_total=of_total)}
    aliases = {alias: name for alias, name in ALIASES.items() if name in names}
    twice: Json = (
        {"allOf": [{"not": {"type": "object", "required": list(pair)}} for pair in aliases.items()]} if aliases else {}
    )
    return {**_section({name: _limit(form, of) for name, of in {**names, **aliases}.items()}, ""), **twice}


def _limit(form: Form, name: str) -> Json:
    quantity = QUANTITIES[name]
    kind = {"baseline": "share", "optimum": "factor"}.get(form.relative_to, quantity.kind)
    if name == "excess_loss" and not form.relative_to:
        kind = "amount"
    if kind == "amount" and name.endswith("dollars"):
        kind = "dollars"
    least: Json = {"minimum": quantity.least} if kind in ("amount", "number", "dollars") else {}
    return {**_value(kind), **least, "description": quantity.meaning}


# values


def _value(kind: str) -> Json:
    return {"$ref": f"#/$defs/{kind}"}


def _values() -> Json:
    """Return the schemas of how each kind of value is written; a number above zero unless it may be less."""
    suffix = _either(SUFFIXES)
    counts = {
        kind: _number(rf"{NOT_ZERO}{NUMBER}\s*(({suffix})(\s+({noun}))?|{noun})?", exclusiveMinimum=0)
        for kind, noun in {name: _folded(noun) for name, noun in NOUNS.items()}.items()
    }
    plain, share = rf"{NUMBER}\s*({suffix})?", {"minimum": 0, "maximum": 1}
    return {
        "text": TEXT,
        "flops": _number(r"\+?[0-9._].*", exclusiveMinimum=0),  # a unit, or a machine and a time
        **counts,
        "loss": _number(NOT_ZERO + NUMBER, exclusiveMinimum=0),
        "bytes": _number(rf"{NOT_ZERO}{NUMBER}\s*({_either(BYTE_UNITS)})?", exclusiveMinimum=0),
        "number": _number(f"-?{plain}"),
        "amount": _number(plain, minimum=0),
        "dollars": _number(rf"\$?\s*{plain}", minimum=0),
        "price": _number(rf"(\$?\s*{plain}|.*\.ya?ml)", minimum=0),
        "share": _number(rf"{plain}\s*%?", **share),
        "factor": _number(rf"{plain}\s*%?", minimum=0),
    }  # fmt: skip


def _number(pattern: str, **bounds: float) -> Json:
    """Return the schema of a number within bounds, or of a text that is written so."""
    return {"anyOf": [{"type": "number", **bounds}, {"type": "string", "pattern": rf"^\s*{pattern}\s*$"}]}


def _either(words: Iterable[str]) -> str:
    return "|".join(_folded(word) for word in words if word)


def _folded(words: str) -> str:
    """Return a pattern that takes letters in either case: JSON Schema has no flag for it."""
    return "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in words)


def _section(properties: Json, description: str, *, kind: object = None) -> Json:
    """Return the schema of a mapping without further keys; it may be empty unless its kind is given as object."""
    said: Json = {"description": description} if description else {}
    return {"type": kind or SECTION, **said, "additionalProperties": False, "properties": properties}
