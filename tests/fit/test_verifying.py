"""A saved fit comes out again from its manifest; what was changed since, in the runs or in the preset, is found."""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from scaling_cli.errors import FileError, NoAnswer
from scaling_cli.files.presets import read_law
from scaling_cli.files.saving import draws_checksum, save_law
from scaling_cli.fitting import Request, Verification, fit_runs, save_fit, verify_fit
from scaling_cli.fitting.manifests import ELSEWHERE, question_of, request_of
from scaling_cli.fitting.verifying import REFITS

RUNS = Path(__file__).parents[2] / "examples" / "runs.csv"
OWN = {"formula": "E + A / N**alpha", "positive": "A,alpha", "where": "tokens > 1e9"}
REPEATED = {"form": "muennighoff-2023", "fix": {"R_D": "15.4", "R_N": "5.3"}}  # the example's runs repeat nothing
EXAMPLES: Mapping[type, Any] = {str: "name == 'a: b'", int: 2**60 + 1, float: 0.1}


def saved(folder: Path, **asked: Any) -> str:
    """Return the path of a saved fit of the example's runs, copied beside it."""
    shutil.copy(RUNS, folder / "runs.csv")
    save_fit(fit_runs(Request(str(folder / "runs.csv"), **{"draws": 64, **asked})), str(folder / "mine.yaml"))
    return str(folder / "mine.yaml")


@pytest.fixture
def mine(tmp_path: Path) -> str:
    return saved(tmp_path)


def verified(preset: str, runs: str = "runs.csv") -> Verification:
    return verify_fit(preset, str(Path(preset).with_name(runs)))


def differing(verification: Verification) -> list[str]:
    return [comparison.what for comparison in verification.comparisons if not comparison.holds]


def edit(path: str, pattern: str, new: str) -> None:
    text, count = re.subn(pattern, new, Path(path).read_text(encoding="utf-8"), flags=re.M)
    assert count == 1, f"{count} places match {pattern}"
    Path(path).write_text(text, encoding="utf-8")


# the question


def example_of(field: str, hint: Any) -> Any:
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
    value = 64 if field == "draws" else EXAMPLES[kinds[-1]]
    return {"alpha": value, "B": value} if get_origin(hint) is Mapping else value


def test_every_field_of_a_question_survives_its_manifest(tmp_path: Path) -> None:
    """Those to come too: what a request asks and a manifest does not say could not be worked out again."""
    fields = {field: hint for field, hint in get_type_hints(Request).items() if field not in ELSEWHERE}
    asked = {field: example_of(field, hint) for field, hint in fields.items()}
    for given in ({**asked, "form": None}, {**asked, "formula": None}):
        request = Request("runs.csv", **given)
        save_law(read_law(saved(tmp_path, draws=0)), str(tmp_path / "b.yaml"), manifest=question_of(request))
        assert request_of(read_law(str(tmp_path / "b.yaml")).manifest, "runs.csv", path="b.yaml") == request
        for path in tmp_path.glob("*.yaml"):
            path.unlink()


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"draws": 0},
        {"objective": "ls-log", "fix": {"alpha": "beta"}, "seed": 2**60 + 1},
        {**REPEATED, "draws": 0},
        {"quantile": 0.3, "draws": 0, "start": {"alpha": 0.4}},
        {"method": "isoflop"},
        {"bootstrap": "wild", "columns": {"params": "2*params"}, "group": "name"},
        {**OWN, "objective": "lad", "draws": 40},
    ],
    ids=str,
)
def test_an_untouched_fit_holds(asked: dict[str, Any], tmp_path: Path) -> None:
    verification = verified(saved(tmp_path, **asked))
    assert differing(verification) == []
    assert verification.holds
    assert all(comparison.difference in (None, 0.0) for comparison in verification.comparisons)
    assert REFITS in [comparison.what for comparison in verification.comparisons]


def test_runs_without_noise_hold(tmp_path: Path) -> None:
    rows = [(n, d, 1.5 + 400.0 / n**0.3 + 900.0 / d**0.35) for n in (1e7, 1e8, 1e9) for d in (1e9, 1e10, 1e11)]
    table = tmp_path / "exact.csv"
    table.write_text("params,tokens,loss\n" + "".join(f"{n!r},{d!r},{loss!r}\n" for n, d, loss in rows))
    save_fit(fit_runs(Request(str(table), objective="ls-log", draws=0)), str(tmp_path / "mine.yaml"))
    assert verified(str(tmp_path / "mine.yaml"), "exact.csv").holds


def test_published_runs_hold(data_file: Callable[[str], str], tmp_path: Path) -> None:
    path = data_file("chinchilla_epoch.csv")
    save_fit(fit_runs(Request(path, where="in_published_fit == 1", draws=64)), str(tmp_path / "mine.yaml"))
    assert verify_fit(str(tmp_path / "mine.yaml"), path).holds


# what has changed


@pytest.mark.parametrize(
    ("pattern", "new", "what"),
    [
        (r"alpha: (0\.\d{6})\d", r"alpha: \g<1>0", "coefficient alpha"),
        (r"E: 1\.\d+", "E: 1.69", "coefficient E"),
        (r"^  value: (\d\.\d{7})\d", r"  value: \g<1>0", "objective"),
        (r"^  rows_used: \d+", "  rows_used: 35", "rows used"),
        (r"^  rows_read: \d+", "  rows_read: 37", "rows read"),
        (r"^  sha256: \"\w{6}", '  sha256: "abcdef', "sha256 of the runs"),
        (r"^    formula: E \+ A", "    formula: A + E - 0", "formula of loss"),
        (r"^  seed: 0", "  seed: 1", REFITS),
        (r"^  draws: 64", "  draws: 65", REFITS),
        (r"N: \[3e7, 1e10\]", "N: [3e7, 1e12]", "largest N of loss"),
        (r"N: \[3e7, 1e10\], ", "", "largest N of loss"),
        (r"valid: \{N", "valid: {L: [1, 2], N", "least L of loss"),
        (r"^      level: 0.9", "      level: 0.5", "level of the intervals"),
        (r"^  starts: (\d+)", "  starts: 1600", "starts"),
        (r"^  starts_agreeing: (\d+)", "  starts_agreeing: 3", "starts agreeing"),
        (r"^  gradient_norm: \S+", "  gradient_norm: 1e-3", "gradient norm"),
        (r"^  condition_number: (\d)", r"  condition_number: 9\1", "condition number"),
        (r"^  formula: E \+ A", "  formula: A + E", "formula of the manifest"),
        (r"^relations:", "relations:\n  optimal_params: {formula: 2 * C}", "formula of optimal_params"),
    ],
)
def test_what_was_changed_by_hand_is_found(pattern: str, new: str, what: str, mine: str) -> None:
    edit(mine, pattern, new)
    verification = verified(mine)
    assert what in differing(verification)
    assert not verification.holds
    assert what in verification.notes[-1]
    assert len(verification.comparisons) >= 10


@pytest.mark.parametrize(
    ("asked", "pattern", "new", "what"),
    [
        (REPEATED, r"R_D: 15\.4", "R_D: 154", "coefficient R_D"),
        ({"fix": {"alpha": "beta"}}, r"alpha: 0\.", "alpha: 1.", "coefficient alpha"),
        (REPEATED, r"^  A: exp", "  A: 2 * exp", "let A"),
        (REPEATED, r"^  U: \{(.*)default: D", r"  U: {\1default: 1e9", "default of U"),
        (REPEATED, r"unique tokens", "all tokens", "meaning of U"),
        (REPEATED, r"^  U: \{unit: tokens", "  U: {unit: words", "unit of U"),
        ({"method": "isoflop"}, r"^frontier: \{.*", "frontier: {params: optimal_tokens}", "frontier params"),
        ({"method": "isoflop"}, r"^frontier: \{.*\n", "", "frontier loss"),
        ({}, r"^relations:", "conventions: {loss: bits per byte}\nrelations:", "convention loss"),
        ({}, r"^    status: fitted", "    unit: bits", "unit of loss"),
        ({}, r"^    status: fitted", "    gives: flops", "gives of loss"),
        ({"fix": {"E": "1.8"}}, r"E: 1\.8,", "E: 1.7,", "coefficient E"),
    ],
)
def test_what_the_law_says_beside_its_numbers_is_compared(
    asked: dict[str, Any], pattern: str, new: str, what: str, tmp_path: Path
) -> None:
    preset = saved(tmp_path, draws=0, **asked)
    edit(preset, pattern, new)
    assert what in differing(verified(preset))


@pytest.mark.parametrize(
    ("pattern", "new", "what"),
    [
        (r"^(        rows:\n +- \[0\.0)0", r"\g<1>1", "covariance of E and E"),
        (
            r"^(          - \[\S+ \S+ \S+ \S+ )(\S+)\]\n      level",
            r"\g<1>1\2]\n      level",
            "covariance of beta and beta",
        ),
        (r"names: \[E, A", "names: [A, E", "covariance of "),
        (r"names: \[E, A", "names: [e, A", "names of the covariance of loss"),
        (r"names: \[E, A, ", "names: [A, ", "names of the covariance of loss"),
        (r"^      covariance:\n(        .*\n)+", "", "names of the covariance of loss"),
        (r"^      level: 0.9", "      level: 0.9\n      intervals: {alpha: [0.3, 0.31]}", "intervals of loss"),
        (r"^      level: 0.9", "      level: 0.9\n      standard_errors: {E: 0.1}", "standard_errors of loss"),
    ],
)
def test_what_is_stated_of_how_sure_numbers_are_is_compared(pattern: str, new: str, what: str, tmp_path: Path) -> None:
    preset = saved(tmp_path, draws=0)
    edit(preset, pattern, new)
    (found,) = differing(verified(preset))
    assert found.startswith(what)


def test_a_covariance_that_is_untouched_is_one_comparison(tmp_path: Path) -> None:
    compared = [each for each in verified(saved(tmp_path, draws=0)).comparisons if "covariance" in each.what]
    assert [(each.what, each.difference, each.holds) for each in compared] == [("covariance of loss", 0.0, True)]
    (tmp_path / "other").mkdir()
    with_refits = verified(saved(tmp_path / "other")).comparisons
    assert not [each for each in with_refits if re.search("covariance|intervals of|errors", each.what)]


def test_a_covariance_may_move_with_the_machine(tmp_path: Path) -> None:
    preset = saved(tmp_path, draws=0)
    edit(preset, r"^          - \[(0\.0074386)\d+", r"          - [\g<1>6")
    assert differing(verified(preset)) == ["covariance of E and E"]
    edit(preset, r"^  arithmetic: .*", '  arithmetic: "another"')
    assert not [what for what in differing(verified(preset)) if "covariance" in what]


def test_refits_may_have_intervals_beside_them_that_are_no_fits(mine: str) -> None:
    edit(mine, r"^      level: 0.9", "      level: 0.9\n      intervals: {alpha: [0.3, 0.31]}")
    assert differing(verified(mine)) == ["intervals of loss"]


def test_an_id_a_title_and_notes_are_the_users_own(mine: str) -> None:
    edit(mine, r"^title: .*", "title: Ours\nnotes: [measured in May]")
    edit(mine, r"^id: .*", "id: other")
    assert verified(mine).holds


def test_the_threshold_that_is_meant_is_written_where_there_is_one(tmp_path: Path) -> None:
    assert question_of(Request("runs.csv"))["delta"] == 1e-3
    assert "delta" not in question_of(Request("runs.csv", objective="ls"))
    old = {**question_of(Request("runs.csv", objective="ls")), "delta": 1e-3, "formula": "E"}  # as it used to be
    assert request_of(old, "runs.csv", path="mine.yaml").delta is None


def test_one_coefficient_alone_differs(mine: str) -> None:
    edit(mine, r"E: 1\.\d+", "E: 1.69")
    assert differing(verified(mine)) == ["coefficient E"]


def test_another_objective_gives_other_coefficients(mine: str) -> None:
    edit(mine, r"objective: huber-log", "objective: ls-log")
    assert {"objective", "coefficient alpha", REFITS} <= set(differing(verified(mine)))


def test_other_runs_are_a_finding_and_the_rest_is_compared(mine: str) -> None:
    with Path(mine).with_name("runs.csv").open("a", encoding="utf-8") as file:
        file.write("new,1e9,2e10,2.9\n")
    verification = verified(mine)
    assert {"sha256 of the runs", "rows read", "rows used", "objective"} < set(differing(verification))
    assert verification.notes[0].startswith("the runs are not those of the fit: sha256 ")
    assert "coefficient alpha" in [comparison.what for comparison in verification.comparisons]


def test_the_same_runs_in_another_file_differ_in_their_checksum_alone(mine: str) -> None:
    runs = Path(mine).with_name("runs.csv")
    runs.write_bytes(runs.read_bytes() + b"\n")
    assert differing(verified(mine)) == ["sha256 of the runs"]


def test_refits_that_were_replaced_are_found(mine: str) -> None:
    """Together with the checksum that the preset states, and with nothing else."""
    law = read_law(mine)
    assert law.draws is not None
    other = law.draws._replace(rows=tuple(reversed(law.draws.rows)))
    save_law(law, mine, draws=other, force=True)
    verification = verified(mine)
    assert differing(verification) == [REFITS]
    (found,) = [comparison for comparison in verification.comparisons if comparison.what == REFITS]
    assert (found.saved, found.got) == (draws_checksum(other), draws_checksum(law.draws))


def test_refits_that_were_taken_away_are_found(mine: str) -> None:
    law = read_law(mine)
    loss = law.relations["loss"]._replace(uncertainty={})
    save_law(law._replace(draws=None, relations={"loss": loss}), mine, force=True)
    assert differing(verified(mine)) == [REFITS]


# elsewhere


def moved(preset: str, factor: float) -> None:
    """Rewrite a preset as another numpy might have: every refit of alpha times a factor."""
    law = read_law(preset)
    assert law.draws is not None
    at = law.draws.names.index("alpha")
    rows = tuple((*row[:at], factor * row[at], *row[at + 1 :]) for row in law.draws.rows)
    save_law(law, preset, draws=law.draws._replace(rows=rows), manifest={**law.manifest, "numpy": "1.26.4"}, force=True)


def test_another_version_may_differ_in_last_digits(mine: str) -> None:
    moved(mine, 1.0 + 1e-14)
    verification = verified(mine)
    assert verification.holds
    assert {"90 % low of alpha", "90 % high of E"} < {comparison.what for comparison in verification.comparisons}
    assert verification.versions["numpy"][0] == "1.26.4"
    assert any("numpy 1.26.4 and " in note for note in verification.notes)
    assert any("quantiles are compared" in note for note in verification.notes)


def test_another_version_must_agree_within_the_error_of_so_many_refits(mine: str) -> None:
    moved(mine, 1.5)
    assert set(differing(verified(mine))) == {"90 % low of alpha", "90 % high of alpha"}


# what cannot be verified


@pytest.mark.parametrize(
    ("pattern", "new", "said"),
    [
        (r"^manifest:\n(  .*\n)+", "", "has no manifest"),
        (r"^  value: .*\n", "", "has no manifest.value"),
        (r"^  form: .*\n((  .*\n)*)  formula: .*\n", r"\g<1>", "has no manifest.formula"),
        (r"^  draws: 64", "  draws: many", "manifest.draws is 'many'"),
        (r"^  draws: 64", "  draws: 1e12", "manifest.draws is"),
        (r"^  draws: 64", "  draws: 20001", "manifest.draws is 20001"),
        (r"^  seed: 0", "  seed: -1", "manifest.seed is -1"),
        (r"^  objective: huber-log", "  objective: 7", "manifest.objective is 7"),
        (r"^  delta: 0.001", "  delta: small", "manifest.delta is 'small'"),
    ],
)
def test_a_manifest_that_no_fit_has_written(pattern: str, new: str, said: str, mine: str) -> None:
    edit(mine, pattern, new)
    with pytest.raises(FileError, match=re.escape(said)):
        verified(mine)


def test_a_fit_that_fails_now(mine: str) -> None:
    runs = Path(mine).with_name("runs.csv")
    runs.write_text("".join(runs.read_text(encoding="utf-8").splitlines(keepends=True)[:5]), encoding="utf-8")
    with pytest.raises(NoAnswer):
        verified(mine)


def test_progress_is_told_of_every_refit(mine: str) -> None:
    told: list[int] = []
    verify_fit(mine, str(Path(mine).with_name("runs.csv")), progress=told.append)
    assert sum(told) == 64


@pytest.mark.parametrize(
    ("pattern", "new", "holds"),
    [
        (r"^  gradient_norm: \S+", "  gradient_norm: 3e-12", True),
        (r"^  gradient_norm: \S+", "  gradient_norm: 3e-8", False),
        (r"^  condition_number: (\d+\.\d{6})\d*", r"  condition_number: \1", True),
        (r"^  condition_number: (\d+)", r"  condition_number: \g<1>9", False),
        (r"^  starts: \d+", "  starts: 15", False),
        (r"N: \[3e7, 1e10\]", "N: [30000000.000000004, 1e10]", True),
        (r"N: \[3e7, 1e10\]", "N: [3.0001e7, 1e10]", False),
    ],
)
def test_elsewhere_what_rounding_moves_may_differ(pattern: str, new: str, holds: bool, mine: str) -> None:
    """A gradient of nothing is as small as nothing; a number that the runs determine is the same within rounding."""
    edit(mine, r"^  numpy: \S+", '  numpy: "1.26.4"')
    edit(mine, pattern, new)
    assert verified(mine).holds == holds


def test_the_least_and_the_largest_of_power_laws_are_compared(tmp_path: Path) -> None:
    preset = saved(tmp_path, method="isoflop")
    edit(preset, r"^  minima: \d+", "  minima: 40")
    edit(preset, r"^  scatter: \S+", "  scatter: 1e-5")
    assert {"minima", "scatter"} <= set(differing(verified(preset)))
