"""The JSON Schema of a budget file, made of the tables that the reader follows, for editors that complete and check."""

import json
import os
from collections.abc import Sequence

from scaling_cli.core.policies import ALIASES, FORMS, LEVELS, QUANTITIES
from scaling_cli.core.sheets import DEFAULTS, FIELDS, Field
from scaling_cli.files.budget_files import LONGEST_NAME, SCHEMA
from scaling_cli.files.catalogue import PRESETS
from scaling_cli.files.reading import write_text

PATH = os.path.join(PRESETS, "budget.schema.json")
Json = dict[str, object]

QUANTITY: Json = {"type": ["number", "string"]}
LIMIT: Json = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "minLength": 1}]}
NUMBERS: Json = {"type": "object", "additionalProperties": {"type": "number"}}
TEXT: Json = {"type": "string", "minLength": 1}


def schema() -> Json:
    """Return the schema, draft 2020-12."""
    runs = {"additionalProperties": {"$ref": "#/$defs/run"}, "propertyNames": {"maxLength": LONGEST_NAME}}
    top = {
        "schema": {"const": SCHEMA, "description": "Version of this format."},
        "title": {"type": ["string", "number"]},
        "defaults": _object({name: _field(FIELDS[name]) for name in DEFAULTS}, "What every run has unless it says so."),
        "runs": {"type": "object", "minProperties": 1, "description": "The runs by name.", **runs},
        "policy": {"$ref": "#/$defs/policy"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A budget of training runs, for `scaling check`",
        **_object(top, ""),
        "required": ["runs"],
        "$defs": {
            "run": {**_object({name: _field(field) for name, field in FIELDS.items()}, "One run."), "minProperties": 1},
            "policy": _policy(),
            "rules_of_run": _rules(of_total=False),
            "rules_of_total": _rules(of_total=True),
            "limits_of_run": _limits(FORMS["max"].quantities(of_total=False)),
            "limits_of_total": _limits(FORMS["max"].quantities(of_total=True)),
            "limits_of_optimum": _limits(FORMS["max_of_optimum"].quantities(of_total=False)),
        },
    }


def schema_text() -> str:
    """Return the schema as the file that ships."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def write_schema() -> None:
    """Bring the file that ships up to date."""
    write_text(PATH, schema_text(), force=True)


def _policy() -> Json:
    each, total = ({"$ref": f"#/$defs/rules_of_{scope}"} for scope in ("run", "total"))
    return _object(
        {
            "laws": {"type": "array", "items": TEXT, "description": "Laws whose disagreement counts."},
            "each": {**each, "description": "What each run must keep."},
            "total": {**total, "description": "What the sum over all runs must keep."},
            "runs": {
                "type": "object",
                "additionalProperties": each,
                "description": "What single runs must keep instead, by name.",
            },
        },
        "What the runs must keep.",
    )


def _rules(*, of_total: bool) -> Json:
    """Return the schema of deny and warn, each with its forms of limits."""
    forms: Json = {}
    for form in FORMS.values():
        scope = "optimum" if form.relative_to == "optimum" else "total" if of_total else "run"
        if form.quantities(of_total=of_total):
            forms[form.name] = {"$ref": f"#/$defs/limits_of_{scope}", "description": form.meaning}
    return _object({level: _object(forms, "") for level in LEVELS}, "")


def _limits(names: Sequence[str]) -> Json:
    """Return the schema of limits by name of quantity, aliases too."""
    meanings = {name: QUANTITIES[name].meaning for name in names}
    meanings |= {alias: QUANTITIES[name].meaning for alias, name in ALIASES.items() if name in names}
    return _object({name: {**LIMIT, "description": meaning} for name, meaning in meanings.items()}, "")


def _field(field: Field) -> Json:
    if field.kind == "limits":
        return {"type": "object", "additionalProperties": QUANTITY, "description": field.meaning}
    kinds = {"settings": NUMBERS, "text": TEXT, "file": TEXT}
    return {**kinds.get(field.kind, QUANTITY), "description": field.meaning}


def _object(properties: Json, description: str) -> Json:
    said: Json = {"description": description} if description else {}
    return {"type": "object", **said, "additionalProperties": False, "properties": properties}
