"""`scaling fit` at its edges: floors below one and at zero, no refits, sizes beyond numbers, fits without noise."""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scaling_cli.core.formulas import Formula
from scaling_cli.files.catalogue import load_law

RUNS = Path(__file__).parents[2] / "examples" / "runs.csv"
SIZES = [(n, d) for n in (5e7, 1.3e8, 3.2e8, 8e8, 2e9, 5e9) for d in (2e9, 5e9, 1.3e10, 3.2e10, 8e10, 2e11)]
Ask = Callable[..., Any]


@pytest.fixture
def ask(ask: Ask) -> Ask:
    """Run `scaling fit` in this process."""
    return partial(ask, "fit", "-")


def table(law: Callable[[float, float], float], *, noise: float = 0.003) -> str:
    """Return runs of a law, with noise that is always the same."""
    rows = (f"{n!r},{d!r},{law(n, d) * math.exp(noise * math.sin(1.0 + i * i))!r}" for i, (n, d) in enumerate(SIZES))
    return "\n".join(["params,tokens,loss", *rows, ""])


BITS = table(lambda n, d: 0.55 + 146.0 / n**0.348 + 632.0 / d**0.366)  # per byte: a floor below one
COMPUTE = [(i, 1e15 * 10.0 ** (i / 6.0)) for i in range(40)]
CURVE = "".join(
    f"{c!r},{2.0 + 300.0 * c**-0.15 * (1.0 + c / 1e18) ** -0.1 + 1e-3 * math.sin(i * i)!r}\n" for i, c in COMPUTE
)
NO_FLOOR = table(lambda n, d: 400.0 / n**0.3 + 500.0 / d**0.3 - 0.02)


def parsed(ran: Any) -> dict[str, Any]:
    assert (ran.code, ran.err) == (0, ""), ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def rows(ran: Any) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in parsed(ran)["rows"]}


@pytest.mark.parametrize("form", ["chinchilla", "hoffmann-2022", "hoffmann-2022-approach-3"])
def test_losses_in_bits_have_a_logarithm_of_the_floor(form: str, ask: Ask) -> None:
    logs = rows(ask("--form", form, "--draws", "0", "-f", "json", stdin=BITS))
    plain = rows(ask("--draws", "0", "-f", "json", stdin=BITS))
    assert logs["ln_E"]["value"] == pytest.approx(math.log(plain["E"]["value"]), rel=1e-6)
    assert logs["ln_E"]["value"] < 0.0


@pytest.mark.parametrize("more", [(), ("--compare",), ("--diagnostics",), ("--draws", "0", "--at", "1e22")])
def test_a_floor_of_zero_is_no_trouble(more: tuple[str, ...], ask: Ask) -> None:
    draws = () if "--draws" in more or "--compare" in more else ("--draws", "40")
    said = parsed(ask("-f", "json", *draws, *more, stdin=NO_FLOOR))
    assert not any("no held-out error" in note and "hoffmann" in note for note in said["notes"])


def test_what_nothing_is_known_of_is_null_and_a_dash(ask: Ask) -> None:
    found = rows(ask("--draws", "0", "-f", "json", stdin=NO_FLOOR))["E"]
    assert (found["se"], found["low"], found["high"]) == (None, None, None)
    (line,) = (line for line in ask("--draws", "0", stdin=NO_FLOOR).out.splitlines() if line.startswith("E "))
    assert line.split()[2:] == ["-", "-", "-"]


def test_a_run_beyond_numbers_is_refused_by_its_row(ask: Ask) -> None:
    text = RUNS.read_text(encoding="utf-8").splitlines()
    header = text[0].split(",")
    cells = {"params": "1e300", "tokens": "1e300", "loss": "3"}
    ran = ask(stdin="\n".join([*text, ",".join(cells.get(name, "") for name in header), ""]))
    assert ran.code == 2
    assert f"row {len(text)}: params are 1e+300 and tokens 1e+300" in ran.err
    assert "Warning" not in ran.err


def test_a_sign_against_the_form_is_noted(ask: Ask) -> None:
    text = RUNS.read_text(encoding="utf-8")
    asked = ("--fix", "alpha=-0.3", "--draws", "0")
    said = parsed(ask(*asked, "-f", "json", stdin=text))
    notes = said["notes"]
    assert any(note.startswith("alpha is fixed below zero") for note in notes)
    assert any(note.startswith("A ends at zero") for note in notes)
    if said["certificate"]["starts_agreeing"] == 1:
        assert "a minimum, perhaps not the lowest: the slopes" in ask(*asked, stdin=text).out


def test_a_fit_without_noise_doubts_nothing(ask: Ask) -> None:
    """NIST's Wampler1 (itl.nist.gov/div898/strd): a polynomial with coefficients of 1."""
    text = "\n".join(["x,y", *(f"{x},{sum(x**i for i in range(6))}" for x in range(21)), ""])
    formula = " + ".join(["b0", *(f"b{i} * x**{i}" for i in range(1, 6))])
    asked = (
        "--columns",
        "x=x",
        "--formula",
        formula,
        "--target",
        "y",
        "--objective",
        "ls",
        "--draws",
        "0",
        "-f",
        "json",
    )
    said = parsed(ask(*asked, stdin=text))
    assert said["certificate"]["converged"]
    assert not any("lower one" in note for note in said["notes"])


@pytest.mark.parametrize("argv", [(), ("--form", "chinchilla"), ("--method", "isoflop")])
@pytest.mark.parametrize("target", ["log(loss)", "loss**2", "1-loss"])
def test_a_formula_is_no_loss_of_a_presets_form(argv: tuple[str, ...], target: str, ask: Ask) -> None:
    """The law would be taken for one of the loss itself: losses of 2 were planned for as logarithms."""
    answer = ask(*argv, "--target", target, stdin=BITS)
    assert answer.code == 2
    assert f"--columns 'loss={target}'" in answer.err


def test_a_formula_of_a_formula_can_be_saved(ask: Ask, tmp_path: Path) -> None:
    path = str(tmp_path / "mine.yaml")
    argv = ("--target", "log(loss)", "--formula", "a - b * log(params)", "--objective", "ls", "--save", path)
    assert ask(*argv, stdin=BITS).code == 0
    assert "log_loss" in load_law(path).relations


def test_what_is_scaled_is_what_the_column_measures(ask: Ask, tmp_path: Path) -> None:
    """A law fitted to FLOPs was saved as one of tokens, and answered for tokens, at any distance from the runs."""
    path = str(tmp_path / "mine.yaml")
    form = ("--form", "caballero-2022", "--columns", "x=flops", "--fix", "d1=1e18", "--fix", "f1=1")
    fitted = parsed(ask(*form, "--draws", "0", "--save", path, "-f", "json", stdin="flops,loss\n" + CURVE))
    law = load_law(path)
    default = law.variables["x"].default
    assert isinstance(default, Formula)
    assert default.text == "C"
    assert law.relations["loss"].valid == {"C": (COMPUTE[0][1], COMPUTE[-1][1])}
    assert fitted["law"]["variables"]["x"]["default"] == "C"


def test_what_is_scaled_has_no_default_where_its_column_is_something_else(ask: Ask, tmp_path: Path) -> None:
    path = str(tmp_path / "mine.yaml")
    form = ("--form", "caballero-2022", "--columns", "x=pages", "--fix", "d1=1e18", "--fix", "f1=1", "--draws", "0")
    assert ask(*form, "--save", path, stdin="pages,loss\n" + CURVE).code == 0
    assert load_law(path).variables["x"].default is None
