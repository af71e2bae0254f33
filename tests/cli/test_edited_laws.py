"""A saved fit whose constants were changed by hand: its intervals belong to other ones, and every answer says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaling_cli.files.catalogue import load_law
from scaling_cli.fitting import Request, fit_runs, save_fit
from scaling_cli.library import plan

CHECKOUT = Path(__file__).parents[2]
CHANGED = "mine: its constants were changed since the fit: intervals belong to the fit's own; run `scaling fit` again"
QUESTIONS = (
    ("plan", "--flops", "1e22"),
    ("plan", "--flops", "1e22", "--unique-tokens", "50B"),
    ("loss", "--params", "1B", "--tokens", "20B"),
    ("compare", "--flops", "1e22", "--decades", "1"),
)

Ask = Callable[..., Any]


def spoil(path: str, old: str, new: str) -> None:
    text = Path(path).read_text(encoding="utf-8")
    assert text.count(old) == 1
    Path(path).write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_changed_constants_are_noted(mine: str, question: tuple[str, ...], ask: Ask) -> None:
    def noted() -> list[bool]:
        ran = ask(*question, "--law", mine, "-f", "json")
        assert ran.code == 0, ran.err
        return [CHANGED in row["notes"] for row in ran.rows]

    assert not any(noted())
    spoil(mine, "alpha: 0.3", "alpha: 0.4")
    assert all(noted())
    spoil(mine, "constants_sha256", "something_else")  # as in a preset of before
    assert not any(noted())


def test_the_words_of_a_saved_law_may_change(mine: str) -> None:
    spoil(mine, "title: Fit of", "title: My fit of")
    spoil(mine, "status: fitted", "status: fitted\n    note: mine")
    assert CHANGED not in plan(mine, flops=1e22).notes


def test_a_saved_split_knows_its_constants_too(tmp_path: Path) -> None:
    path = str(tmp_path / "mine.yaml")
    runs = str(CHECKOUT / "presets" / "tables" / "palm2-2023.csv")
    save_fit(fit_runs(Request(runs, method="isoflop", draws=40)), path)
    law = load_law(path)
    assert law.draws
    assert CHANGED not in plan(law, flops=1e22).notes
    values = {name: (relation, value or 0.0) for relation, name, value in law.constants()}
    relation, value = values[law.draws.names[0]]
    assert CHANGED in plan(law.with_constant(relation, law.draws.names[0], 1.01 * value), flops=1e22).notes


def test_a_fit_without_draws_carries_no_checksum(tmp_path: Path) -> None:
    answer = fit_runs(Request(str(CHECKOUT / "examples" / "runs.csv"), draws=0))
    answer = answer._replace(fit=answer.fit._replace(draws=answer.fit.draws[:0]))
    save_fit(answer, str(tmp_path / "mine.yaml"))
    assert "constants_sha256" not in load_law(str(tmp_path / "mine.yaml")).manifest
