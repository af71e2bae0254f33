"""`scaling fit --compare` and `--diagnostics`, asked as people ask them, and the plot as they see it."""

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scaling_cli.cli.app import main
from scaling_cli.fitting import Request, compare_forms, diagnose, fit_runs
from scaling_cli.report.plot import draw_plot
from scaling_cli.report.report import Plot, Report
from scaling_cli.report.table import render_table

RUNS = str(Path(__file__).parents[2] / "examples" / "runs.csv")
FORMATS = ("table", "json", "csv", "markdown")
FORMS = ("--form", "kaplan", "--form", "hoffmann-2022-approach-3-rounded")
COMPARED = (
    "form", "formula", "coefficients", "held_out_error", "held_out_bias", "held_out_runs", "aic", "aicc", "delta_aic",
    "objective", "residual_sd", "residual_skew", "residual_trend", "residual_trend_t", "residual_correlation",
    "largest_scale", "converged", "notes",
)  # fmt: skip
DIAGNOSED = (
    "answer", "flops", "residuals", "pattern", "strongest_run", "sensitivity", "extrapolation", "valley",
    "intrinsic_dimension", "notes",
)  # fmt: skip


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Ask = Callable[..., Ran]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run `scaling fit` on the example's runs, or others, in this process."""

    def run(*argv: str, runs: str = RUNS) -> Ran:
        monkeypatch.setattr(sys, "argv", ["scaling", "fit", runs, *argv])
        with pytest.raises(SystemExit) as caught:
            main()
        return Ran(int(caught.value.code or 0), *capsys.readouterr())

    return run


def parsed(ran: Ran) -> dict[str, Any]:
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    return found


# --compare


def test_comparison_as_json_is_the_librarys(ask: Ask) -> None:
    found = parsed(ask("--compare", *FORMS, "-f", "json"))
    assert found["schema"] == "scaling.fit.compare/1"
    assert [tuple(row) for row in found["rows"]] == [COMPARED, COMPARED]
    assert (found["ranked_by"], found["density"]) == ("held_out_error", "Huber")
    assert [(cut["fitted"], cut["held_out"]) for cut in found["cuts"]] == [(27, 9), (18, 18)]
    library = compare_forms(Request(RUNS), ["kaplan", "hoffmann-2022-approach-3-rounded"])
    assert [row["held_out_error"] for row in found["rows"]] == [one.held_out_error for one in library.contenders]
    best, worst = found["rows"]
    assert best["form"] == "hoffmann-2022-approach-3-rounded"
    assert best["held_out_error"] < worst["held_out_error"]
    assert best["delta_aic"] == 0.0
    assert worst["delta_aic"] == pytest.approx(worst["aic"] - best["aic"])
    assert best["held_out_runs"] == 18


@pytest.mark.parametrize("format_", FORMATS)
def test_comparison_in_every_format(ask: Ask, format_: str) -> None:
    ran = ask("--compare", *FORMS, "-f", format_)
    assert ran.code == 0
    assert all(line.startswith("note: ") for line in ran.err.splitlines())
    assert (ran.err == "") == (format_ != "csv")  # which has no place for notes
    assert ran.out.replace("\\", "").index("hoffmann-2022-approach-3-rounded") < ran.out.index("kaplan-2020")
    assert "\x1b" not in ran.out


def test_comparison_as_csv_has_the_columns_of_the_rows(ask: Ask) -> None:
    rows = list(csv.DictReader(io.StringIO(ask("--compare", *FORMS, "-f", "csv").out)))
    assert [tuple(row) for row in rows] == [COMPARED, COMPARED]


def test_a_form_that_cannot_be_fitted_is_a_row_of_nulls(ask: Ask) -> None:
    rows = parsed(ask("--compare", *FORMS, "--formula", "E + F + A / N**a", "-f", "json"))["rows"]
    assert rows[-1]["form"] == "formula"
    filled = {key for key, value in rows[-1].items() if value is not None}
    assert filled == {"form", "formula", "objective", "notes"}
    assert "determine" in rows[-1]["notes"][0]


def test_no_form_that_can_be_fitted_is_exit_3(ask: Ask) -> None:
    ran = ask("--compare", "--form", "muennighoff-2023")  # every token is unique, so its repeats say nothing
    assert (ran.code, ran.out) == (3, "")
    assert "the runs determine none of the forms" in ran.err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (FORMS, "--form is given 2 times"),
        (("--compare", "--save", "law.yaml"), "--save cannot be given with --compare"),
        (("--compare", "--at", "1e23"), "--at cannot be given with --compare"),
        (("--compare", "--diagnostics"), "--diagnostics cannot be given with --compare\n  leave it out"),
        (
            ("--compare", "--at", "1e23", "--draws", "40", "--save", "law.yaml"),
            "--draws, --at and --save cannot be given with --compare\n  leave them out",
        ),
        (("--method", "isoflop", "--diagnostics"), "--diagnostics and --method isoflop"),
        (("--compare", "--form", "nobody"), "no law has the preset name 'nobody'"),
    ],
)
def test_what_does_not_go_together_is_refused(ask: Ask, argv: tuple[str, ...], message: str) -> None:
    ran = ask(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


# --diagnostics


def test_diagnostics_as_json_are_the_librarys(ask: Ask) -> None:
    found = parsed(ask("--diagnostics", "--draws", "40", "--at", "1e23", "-f", "json"))["diagnostics"]
    assert tuple(found) == DIAGNOSED
    assert (found["answer"], found["flops"]) == ("params", 1e23)
    assert [row["row"] for row in found["residuals"]] == list(range(1, 37))
    assert sum(row["leverage"] for row in found["residuals"]) == pytest.approx(5.0)
    library = diagnose(fit_runs(Request(RUNS, draws=40, at=(1e23,))))
    influence = dict(zip(library.residuals.rows, library.residuals.influence.tolist(), strict=True))
    assert {row["row"]: row["influence"] for row in found["residuals"]} == influence
    assert found["strongest_run"] == max(found["residuals"], key=lambda row: abs(row["influence"]))
    assert found["extrapolation"]["decades"] == pytest.approx(2.0, abs=0.001)
    assert found["valley"]["low_factor"] < 1.0 < found["valley"]["high_factor"]
    assert [one["variable"] for one in found["intrinsic_dimension"]] == ["params", "tokens"]
    assert found["sensitivity"][0]["change"] == 0.0


def test_without_the_option_there_are_none(ask: Ask) -> None:
    assert "diagnostics" not in parsed(ask("--draws", "0", "-f", "json"))


def test_the_table_has_a_plot_and_sentences(ask: Ask) -> None:
    ran = ask("--diagnostics", "--draws", "40", "--at", "1e23")
    assert (ran.code, ran.err) == (0, "")
    for words in ("Largest residuals", "Residuals (%, prediction above run is up) against log10 flops", "moves it most",
                  "costs less than 0.1 % of the loss", "2 decades beyond the largest run", "ls-log"):  # fmt: skip
        assert words in ran.out


@pytest.mark.parametrize("format_", ["csv", "markdown"])
def test_the_plot_stays_out_of_files(ask: Ask, format_: str) -> None:
    ran = ask("--diagnostics", "--draws", "0", "-f", format_)
    assert ran.code == 0, ran.err
    assert "against log10" not in ran.out
    assert ("Largest residuals" in ran.out) == (format_ == "markdown")


@pytest.mark.parametrize("form", ["kaplan", "clark-2022-dense"])
def test_other_forms_are_diagnosed_or_refused_without_a_traceback(ask: Ask, form: str) -> None:
    ran = ask("--diagnostics", "--draws", "0", "--form", form, "-f", "json")
    assert ran.code in (0, 3), ran.err
    assert "Traceback" not in ran.err


# the plot


def test_plot_golden() -> None:
    plot = Plot("Residuals", [1e18, 1e18, 1e19, 1e20], [2.0, 2.0, -1.0, 0.0])
    assert draw_plot(plot, 40) == (
        "Residuals\n"
        ". one run, o 2 to 4, @ 5 or more\n"
        "     +2 |o\n"
        "        |\n"
        "        |\n"
        "        |\n"
        "        |\n"
        "        |\n"
        "      0 |-----------------------------.\n"
        "        |\n"
        "        |\n"
        "        |              .\n"
        "        |\n"
        "        |\n"
        "     -2 |\n"
        "         18.00                    20.00"
    )


@pytest.mark.parametrize("width", [None, 200, 80, 60, 41, 10])
def test_the_plot_fits(width: int | None) -> None:
    text = draw_plot(Plot("R", [10.0 ** (18 + i / 50) for i in range(200)], [(-1) ** i * i for i in range(200)]), width)
    assert max(map(len, text.splitlines())) <= max(min(width or 80, 80), 33)
    assert text.isascii()


def test_a_plot_of_nothing_says_so() -> None:
    assert draw_plot(Plot("R", [0.0, 1e18], [1.0, float("nan")])) == "R: no points"
    assert "0 |." in draw_plot(Plot("R", [1e18], [0.0]))


def test_a_plot_stands_between_tables_and_notes() -> None:
    report = Report("scaling.fit/1", [], ["b"], (), plots=[Plot("R", [1e18], [1.0])])
    text = render_table(report, color=False, width=None, ascii_only=True)
    assert text.startswith("R\n")
    assert text.endswith("\n\nnote: b\n")
