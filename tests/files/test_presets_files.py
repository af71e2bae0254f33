"""Preset files that are right: every section, the short form, minima and forms. And circles, which are not."""

from pathlib import Path

import pytest

from scaling_cli.core.laws import Law, Minimum
from scaling_cli.core.plans import Planner
from scaling_cli.errors import FileError, InputError, NoAnswer
from scaling_cli.files.presets import parse_law, read_law

GOOD = Path(__file__).with_name("good_law.yaml").read_text(encoding="utf-8")


def law(text: str, path: str = "mine.yaml", *, shipped: bool = False) -> Law:
    return parse_law(text, path, shipped=shipped)


def refusal(text: str, path: str = "mine.yaml", *, shipped: bool = False) -> FileError:
    with pytest.raises(FileError) as caught:
        law(text, path, shipped=shipped)
    assert caught.value.exit_code == 2
    return caught.value


def test_a_good_file() -> None:
    """Everything in it arrives."""
    mine = law(GOOD, shipped=True)
    assert (mine.id, mine.title, mine.params_kind, mine.domain) == ("mine", "My law", "total", "text")
    assert mine.source["year"] == 2024
    assert mine.source["arxiv"] == "2401.00001"
    assert list(mine.relations) == ["loss", "optimal_params"]
    assert list(mine.let) == ["fresh", "more"]
    assert mine.relations["loss"].coefficients == {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34}
    assert mine.relations["loss"].digits["A"] == "406.4"
    assert mine.relations["loss"].valid == {"N": (1e7, 1e10)}
    assert mine.relations["loss"].uncertainty == {"level": 0.8, "intervals": {"alpha": (0.33, 0.35)}}
    assert mine.coefficients == {"beta": 0.28}
    assert mine.variables["P"].default == 16.0
    assert mine.variables["U"].default.text == "D"
    assert mine.frontier == {"params": "optimal_params"}
    assert [figure.kind for figure in mine.figures] == ["reproduce", "data", "errata"]
    assert mine.figures[2].plan == {"C": 1e21, "U": 1e12}
    assert mine.notes == ("One", "Two: three")


def test_the_least_that_is_enough() -> None:
    """An id and one relation."""
    mine = law("id: tiny\nrelations: {loss: {formula: 1.7 + 400 / N**0.34 + 410 / D**0.28}}\n")
    assert Planner(mine).plan({"flops": 1e21}).loss == pytest.approx(2.334, abs=0.001)


def test_digits_as_written() -> None:
    """A number is a float, and its text is kept: 1.000e9 has four digits."""
    mine = law("id: m\nrelations: {loss: {formula: A / N + B / D + E, coefficients: {A: 1.000e9, B: 1E+9, E: .5}}}")
    assert mine.relations["loss"].digits == {"A": "1.000e9", "B": "1E+9", "E": ".5"}
    assert mine.relations["loss"].coefficients == {"A": 1e9, "B": 1e9, "E": 0.5}


# circles

CIRCLES = {
    "relation of itself": "relations: {loss: {formula: loss + 1 / N}}",
    "two relations": "relations: {loss: {formula: half * 2 + 1 / N}, half: {formula: loss / 2}}",
    "let through a relation": "let: {a: loss / 2}\nrelations: {loss: {formula: a + 1 / N}}",
    "default of itself": "variables: {U: {default: U}}\nrelations: {loss: {formula: U + 1 / N}}",
    "two defaults": "variables: {U: {default: V}, V: {default: U}}\nrelations: {loss: {formula: U + 1 / N}}",
    "default through a let": "variables: {U: {default: a}}\nlet: {a: U * 2}\nrelations: {loss: {formula: a + 1 / N}}",
}


@pytest.mark.parametrize("name", CIRCLES)
def test_circles(name: str) -> None:
    """A name that is defined by itself, however far around."""
    error = refusal(f"id: mine\n{CIRCLES[name]}\n")
    assert "goes in a circle" in error.message
    assert "is defined by itself" in error.message


@pytest.mark.parametrize("count", [50, 300, 3000])
def test_long_chains_are_no_circles(count: int) -> None:
    """Read, or refused as a file: not a RecursionError."""
    lets = "".join(f"  x{i}: x{i - 1} * 1.001\n" for i in range(1, count + 1))
    text = f"id: mine\nlet:\n  x0: N * 1.0\n{lets}relations: {{loss: {{formula: 1 + 1 / x{count} + 1 / D}}}}\n"
    try:
        mine = law(text)
    except FileError:
        return
    assert Planner(mine).plan({"flops": 1e21}).loss > 1.0


# minimise


def test_a_minimum() -> None:
    """minimise with over stands where a formula would."""
    mine = law("id: mine\nvariables: {P: {}}\nrelations: {best: {minimise: (P - 7)**2, over: {P: [1, 20]}}}\n")
    best = mine.relations["best"].formula
    assert isinstance(best, Minimum)
    assert (best.variable, best.low, best.high) == ("P", 1.0, 20.0)
    assert Planner(mine).constants() == {"best": pytest.approx(7.0, abs=1e-6)}


@pytest.mark.parametrize(
    ("relation", "message"),
    [
        ("{minimise: P**2}", "best.minimise stands with over: {name: [low, high]}"),
        ("{minimise: P**2, over: {P: [1, 2], Q: [1, 2]}}", "best.minimise stands with over: {name: [low, high]}"),
        ("{minimise: P**2, formula: N, over: {P: [1, 2]}}", "and without a formula"),
        ("{minimise: P**2, over: {P: [0, 2]}}", "best.over.P is [0, 2]: expected 0 < low < high"),
        ("{minimise: P**2, over: {P: [2, 2]}}", "best.over.P is [2, 2]: expected 0 < low < high"),
        ("{minimise: P**2, over: {P: [3, 2]}}", "best.over.P is [3, 2]: expected [low, high]"),
        ("{minimise: P**2, over: P}", "best.over is 'P': expected a mapping"),
        ("{minimise: Q**2, over: {P: [1, 2]}}", "best.formula: unknown name Q"),
        ("{formula: N, over: {P: [1, 2]}}", "over"),
    ],
)
def test_wrong_minima(relation: str, message: str) -> None:
    """Each part alone or twice, and ranges that cannot be searched in logarithms."""
    text = f"id: mine\nvariables: {{P: {{default: 2}}}}\nrelations: {{best: {relation}, other: {{formula: P * N}}}}\n"
    assert message in refusal(text).message


# forms


def test_forms() -> None:
    """A constant that was never published is `~`: the law loads, and answers nothing."""
    text = "id: mine\nrelations: {loss: {formula: E + A / N**0.3 + 410 / D**0.28, coefficients: {E: ~, A: ~}}}\n"
    mine = law(text)
    assert mine.is_form
    with pytest.raises(NoAnswer, match="mine is a form: its source prints no value of") as caught:
        Planner(mine).plan({"flops": 1e21})
    assert caught.value.hints == ("fit one from your runs",)


# the short form


def test_the_short_form() -> None:
    """A pure exponent law; its id is the file's name."""
    mine = law("{a: 0.6, b: 0.4, anchor: {flops: 1e21, params: 3e9}}", "/some/where/Half.yaml")
    assert mine.id == "half"
    for flops, params in ((1e21, 3e9), (1e26, 3e12)):
        plan = Planner(mine).plan({"flops": flops})
        assert plan.params == pytest.approx(params, rel=1e-12)
        assert 6.0 * plan.params * plan.tokens == pytest.approx(flops, rel=1e-12)
    assert law("{id: own, title: T, schema: 1, a: 0.5, b: 0.5, anchor: {flops: 1, params: 1}}").title == "T"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{a: 0.6, b: 0.5, anchor: {flops: 1, params: 1}}", "b is 0.5 with a = 0.6: expected a + b = 1, since C = 6ND"),
        ("{a: 0.6, b: 0.4001, anchor: {flops: 1, params: 1}}", "b is 0.4001 with a = 0.6: expected a + b = 1"),
        ("{a: 0.6, anchor: {flops: 1, params: 1}}", "the file has no b"),
        ("{a: 0.6, b: 0.4}", "has no flops"),
        ("{anchor: {flops: 1, params: 1}}", "the file has no a"),
        ("{a: 0.6, b: 0.4, anchor: {flops: 1}}", "anchor has no params"),
        ("{a: 0.6, b: 0.4, anchor: {flops: 1, parms: 1}}", "anchor.parms is not a key of this section"),
        ("{a: 0.6, b: 0.4, anchor: {flops: -1, params: 1}}", "anchor.flops is -1: expected a number greater than zero"),
        ("{a: 0.6, b: 0.4, anchor: {flops: 1, params: 0}}", "anchor.params is 0: expected a number greater than zero"),
        ("{a: half, b: 0.4, anchor: {flops: 1, params: 1}}", "a is 'half': expected a number"),
        ("{a: 0.6, b: 0.4, c: 1, anchor: {flops: 1, params: 1}}", "c is not a key of this section"),
        ("{a: 0.6, b: 0.4, anchor: [1, 2]}", "anchor is a list: expected a mapping"),
        ("{id: Not Good, a: 0.6, b: 0.4, anchor: {flops: 1, params: 1}}", "id is 'Not Good': expected a name"),
    ],
)
def test_wrong_short_forms(text: str, message: str) -> None:
    """Including exponents that do not close the budget."""
    assert message in refusal(text).message


def test_a_short_form_that_needs_an_id() -> None:
    """When the file's name is not a law's."""
    error = refusal("{a: 0.6, b: 0.4, anchor: {flops: 1, params: 1}}", "My law!.yaml")
    assert "has no id, and 'my law!' is not a law's name" in error.message
    assert error.hints == ("add id: my-law",)


# files


def test_reading_a_file(tmp_path: Path) -> None:
    """By its path, as the user named it."""
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    assert repr(read_law(str(path))) == repr(law(GOOD))
    path.write_text(GOOD.replace("title: My law", "titel: My law"))
    with pytest.raises(FileError, match="titel is not a key") as caught:
        read_law(str(path))
    assert caught.value.path == str(path)
    with pytest.raises(FileError, match="no such file"):
        read_law(str(tmp_path / "other.yaml"))


def test_a_variable_without_a_default_is_asked_for() -> None:
    """At the question, not at the file."""
    mine = law(
        "id: mine\nvariables: {U: {unit: tokens, meaning: unique}}\nrelations: {loss: {formula: 1 + U / N + U / D}}\n"
    )
    with pytest.raises(InputError, match=r"mine needs U \(unique\)") as caught:
        Planner(mine).plan({"flops": 1e21})
    assert caught.value.hints == ("give it, in tokens: --set U=...",)
