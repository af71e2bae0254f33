"""What each format of `scaling check` says of the same verdict: none contradicts another, or itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEADER = "run,rule,level,value,limit,over,file,line,message,remedy\n"
BUDGET = """\
runs: {{a: {{params: 7B, tokens: 140B{more}}}}}
policy: {{each: {{{level}: {{max: {{{limit}}}}}}}}}
"""
Ask = Callable[..., Any]
Write = Callable[..., str]


@pytest.fixture
def budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a file with one run of 5.88e21 FLOPs and one limit."""
    monkeypatch.chdir(tmp_path)

    def write(level: str = "deny", limit: str = "flops: 1e21", more: str = "", name: str = "scaling.yaml") -> str:
        (tmp_path / name).write_text(BUDGET.format(level=level, limit=limit, more=more), encoding="utf-8")
        return name

    return write


def test_csv_without_findings_has_their_header(ask: Ask, budget: Write) -> None:
    assert ask("check", budget(limit="flops: 1e22"), "-f", "csv").out == HEADER
    assert ask("check", budget(), "-f", "csv").out.startswith(HEADER)


def faces(ask: Ask, *argv: str) -> dict[str, str]:
    return {fmt: ask("check", *argv, "-f", fmt).out for fmt in ("markdown", "github", "junit", "sarif", "table")}


def test_a_warning_that_fails_the_check_fails_in_every_format(ask: Ask, budget: Write) -> None:
    said = faces(ask, budget(level="warn"), "--fail-on", "warn")
    assert "### Budget fails: 1 finding (0 deny, 1 warn) in 1 run, all counted: --fail-on warn" in said["markdown"]
    assert "| error (warn) |" in said["markdown"]
    assert said["github"].startswith("::error ")
    assert 'failures="1"' in said["junit"]
    assert json.loads(said["sarif"])["runs"][0]["results"][0]["level"] == "error"
    assert "Findings: failed, all counted" in said["table"]
    assert "failed: 1 finding (0 deny, 1 warn) in 1 run, all counted: --fail-on warn" in said["table"]


def test_what_is_not_counted_fails_in_no_format(ask: Ask, budget: Write) -> None:
    said = faces(ask, budget(), "--fail-on", "never")
    none = "1 finding (1 deny, 0 warn) in 1 run, none counted: --fail-on never"
    assert f"### Budget passes: {none}" in said["markdown"]
    assert "| warning (deny) |" in said["markdown"]
    assert said["github"].startswith("::warning ")
    assert "::error" not in said["github"]
    assert 'failures="0"' in said["junit"]
    (run,) = json.loads(said["sarif"])["runs"]
    assert run["results"][0]["level"] == "warning"
    for text in (said["github"], said["junit"], json.dumps(run), said["table"]):
        assert f"passed: {none}" in text


def test_json_says_what_was_counted_and_which_rules_there_are(ask: Ask, budget: Write) -> None:
    data = json.loads(ask("check", budget(), "--fail-on", "never", "-f", "json").out)
    assert (data["passed"], data["fail_on"], data["rules"]) == (True, "never", ["max flops"])


def test_memory_has_its_unit(ask: Ask, budget: Write) -> None:
    said = faces(ask, budget(limit="memory: 10GB"))
    for text in said.values():
        assert "14.0 GB" in text
        assert "14B" not in text


# a baseline that does not say what a run costs

PRICE = ", gpu: h100, gpus: 64, price: 2"
INCREASE = """\
runs: {{a: {{params: 7B, tokens: {tokens}{more}}}}}
policy: {{{scope}: {{deny: {{max_increase: {limits}}}}}}}
"""


@pytest.fixture
def grown(tmp_path: Path) -> Write:
    """Return a file with a run of 7B params whose increase is limited to 10 %."""

    def write(tokens: str, scope: str = "each", limits: str = "{dollars: 10%}", more: str = PRICE) -> str:
        text = INCREASE.format(tokens=tokens, scope=scope, limits=limits, more=more)
        (tmp_path / "grown.yaml").write_text(text, encoding="utf-8")
        return str(tmp_path / "grown.yaml")

    return write


@pytest.mark.parametrize("scope", ["each", "total"])
def test_a_price_may_be_added_under_a_limit_on_its_increase(ask: Ask, budget: Write, grown: Write, scope: str) -> None:
    """The compute of the baseline is priced as the run is now."""
    limits = "{dollars: 10%, gpu_hours: 10%, days: 10%}"
    base = budget()
    ran = ask("check", grown("140B", scope, limits), "--baseline", base)
    assert ran.code == 0, ran.err
    assert "note: the baseline does not say all of its gpu_hours, days, dollars: " in ran.out
    ran = ask("check", grown("280B", scope, limits), "--baseline", base, "-f", "json")
    assert ran.code == 1, ran.err
    assert [row["rule"].split()[-1] for row in ran.rows] == ["dollars", "gpu_hours", "days"]
    assert all(row["over"] == pytest.approx(2.0 / 1.1 - 1.0) for row in ran.rows)


def test_a_baseline_that_says_them_is_taken_at_its_word(ask: Ask, budget: Write, grown: Write) -> None:
    """Twice the price is twice the dollars."""
    ran = ask("check", grown("140B"), "--baseline", budget(more=PRICE.replace("2", "1")), "-f", "json")
    assert [row["rule"] for row in ran.rows] == ["max_increase dollars"]
    assert not any("the baseline" in note for note in json.loads(ran.out)["notes"])


def test_a_removed_run_is_priced_as_the_rest(ask: Ask, grown: Write, tmp_path: Path) -> None:
    base = tmp_path / "base.yaml"
    base.write_text("runs: {a: {params: 7B, tokens: 70B}, b: {params: 7B, tokens: 70B}}\n", encoding="utf-8")
    assert ask("check", grown("140B", "total"), "--baseline", str(base)).code == 0
    assert ask("check", grown("160B", "total"), "--baseline", str(base)).code == 1


# a saved answer as the baseline


def test_a_saved_answer_without_runs_is_no_baseline(ask: Ask, grown: Write, tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text(json.dumps({"schema": "scaling.check/1", "rows": [], "plans": []}))
    ran = ask("check", grown("140B"), "--baseline", str(tmp_path / "empty.json"))
    assert (ran.code, ran.out) == (2, "")
    assert "holds no run" in ran.err
    assert "'none'" in ran.err
