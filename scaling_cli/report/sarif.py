"""SARIF 2.1.0 (OASIS), for code scanning: rules, and a result with its place for each finding. Pure ASCII, no NaN."""

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from scaling_cli.core.findings import Change, Checked, Difference, Finding
from scaling_cli.report.wording import NAME, change_line, place, remarks, sentences, severity, shorten

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
CHANGE_RULE = "change"

# In messages braces stand doubled (SARIF 2.1.0, section 3.11.5), and "](" would make a link (section 3.11.6).
_LITERAL = {"{": "{{", "}": "}}", "](": "] ("}

Json = dict[str, Any]


def sarif_check(checked: Checked) -> str:
    """Return a log with one result for each finding."""
    ids = _rule_ids(checked)
    results = [_result(finding, checked, ids) for finding in checked.findings]
    return _log([_rule(rule) for rule in ids], results, remarks(checked))


def sarif_diff(found: Difference) -> str:
    """Return a log with one result for each broken rule, and for each change one that is information, no problem."""
    checked = found.checked
    ids = _rule_ids(checked)
    change = {"id": CHANGE_RULE, "shortDescription": _message("what changed between two budgets")}
    results = [_result(finding, checked, ids) for finding in checked.findings]
    results += [_change_result(change, len(ids)) for change in found.changes]
    return _log([*(_rule(rule) for rule in ids), change], results, found.notes)


def _rule_ids(checked: Checked) -> list[str]:
    return list(dict.fromkeys(_rule_id(finding.rule) for finding in checked.findings))


def _rule(rule: str) -> Json:
    return {"id": rule, "shortDescription": _message(f"the policy's rule {rule}")}


def _result(finding: Finding, checked: Checked, ids: Sequence[str]) -> Json:
    rule = _rule_id(finding.rule)
    file, line = place(finding, checked)
    locations: Json = {"logicalLocations": [{"name": shorten(finding.run, NAME), "kind": "run"}]}
    if file:
        locations["physicalLocation"] = {"artifactLocation": {"uri": _uri(file)}}
        if line:
            locations["physicalLocation"]["region"] = {"startLine": line}
    return {
        "ruleId": rule,
        "ruleIndex": ids.index(rule),
        "level": severity(finding, checked),
        "message": _message(f"{shorten(finding.run, NAME)}: " + "; ".join(sentences(finding))),
        "locations": [locations],
        # the line may move and the value change: it stays the same finding
        "partialFingerprints": {"runAndRule/v1": _fingerprint(file, finding.run, finding.rule)},
        "properties": {
            "policy_level": finding.level,
            **_finite({"value": finding.value, "limit": finding.limit, "over": finding.over}),
        },
    }


def _change_result(change: Change, rule: int) -> Json:
    numbers = {"old": change.old, "new": change.new, "change": change.change, "change_ratio": change.change_ratio}
    return {
        "ruleId": CHANGE_RULE,
        "ruleIndex": rule,
        "kind": "informational",
        "level": "none",  # as that kind requires (section 3.27.10)
        "message": _message(change_line(change)),
        "partialFingerprints": {"runAndQuantity/v1": _fingerprint(change.run, change.quantity)},
        "properties": {"status": change.status, **_finite(numbers)},
    }


def _log(rules: Sequence[Json], results: Sequence[Json], notes: Sequence[str]) -> str:
    said = [{"level": "note", "message": _message(note)} for note in notes]
    run = {
        "tool": {"driver": {"name": "scaling", "rules": rules}},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": said}],
        "results": results,
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, allow_nan=False) + "\n"


def _rule_id(rule: str) -> str:
    """Return a rule as a hierarchical name: max/dollars."""
    return "/".join(shorten(rule, NAME).split()) or "rule"


def _message(text: str) -> Json:
    line = shorten(text)
    for literal, written in _LITERAL.items():
        line = line.replace(literal, written)
    return {"text": line}


def _uri(file: str) -> str:
    """Return a path as a reference relative to the root of the checkout, or as a file: URI where it is absolute."""
    path = quote(file, safe="/", errors="surrogatepass")
    return f"file://{path}" if file.startswith("/") else path


def _fingerprint(*parts: str) -> str:
    text = "\0".join(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _finite(values: dict[str, float | None]) -> Json:
    return {key: value for key, value in values.items() if value is not None and math.isfinite(value)}
