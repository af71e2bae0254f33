"""Every shipped preset: as a file, as a law, and against the figures that its source published."""

import json
import math
import re
import zlib
from collections import Counter
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest

from scaling_cli.core.figures import check_figure
from scaling_cli.core.laws import KINDS, QUANTITIES, STATUSES, Law, Minimum, check_names
from scaling_cli.core.plans import Planner
from scaling_cli.core.relations import bind
from scaling_cli.core.surface import Surface
from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.files import catalogue
from scaling_cli.files.presets import NAME, read_law

FILES = sorted(Path(catalogue.LAWS).glob("*.yaml"), key=lambda path: path.stem)
LAWS = {path.stem: read_law(str(path), shipped=True) for path in FILES}
FIGURES = [(law_id, i) for law_id, law in LAWS.items() for i in range(len(law.figures))]
RELATIONS = [(law_id, name) for law_id, law in LAWS.items() for name in law.relations]


def test_there_are_presets() -> None:
    """What follows would pass on an empty folder; catalogue and folder agree."""
    assert len(FILES) >= 50
    assert catalogue.law_ids() == [path.stem for path in FILES]
    assert {path.suffix for path in Path(catalogue.LAWS).iterdir()} == {".yaml"}


@pytest.mark.parametrize("law_id", LAWS)
def test_a_preset_says_where_it_comes_from(law_id: str) -> None:
    """Id, title, authors, year and a place to find it; each relation says how and where it was read."""
    law = LAWS[law_id]
    assert law.id == law_id
    assert NAME.fullmatch(law.id)
    assert law.title
    assert law.source["authors"]
    assert law.source["title"]
    assert 2015 <= int(str(law.source["year"])) <= 2030
    assert str(law.source["year"]) in law.id
    found_at = [law.source[key] for key in ("arxiv", "doi", "url") if law.source.get(key)]
    assert found_at
    if arxiv := law.source.get("arxiv"):
        assert re.fullmatch(r"\d{4}\.\d{5}", str(arxiv))
    for relation in law.relations.values():
        assert relation.where
        assert relation.status in STATUSES
    assert law.params_kind != "unstated" or law.is_form
    assert re.fullmatch("[a-z0-9_]+", law.params_kind)
    assert re.fullmatch("[a-z_]+", law.domain)


@pytest.mark.parametrize("law_id", LAWS)
def test_a_preset_is_well_formed(law_id: str) -> None:
    """Every name is declared and used, numbers keep their digits, and ranges are ranges of something known."""
    law = LAWS[law_id]
    assert list(check_names(law)) == []
    for relation in (None, *law.relations.values()):
        coefficients, digits = (law.coefficients, law.digits) if relation is None else relation[2:4]
        for name, value in coefficients.items():
            assert value is None or (math.isfinite(value) and float(digits[name]) == value)
    for relation in law.relations.values():
        for name, (low, high) in relation.valid.items():
            assert name in {*QUANTITIES, *law.variables}
            assert 0.0 <= low < high < math.inf
    assert set(law.frontier.values()) <= set(law.relations)


@pytest.mark.parametrize(("law_id", "name"), RELATIONS)
def test_a_relation_can_be_bound(law_id: str, name: str) -> None:
    """With its variables at 1 where they have no default: no circle, no constant part without a value."""
    law = LAWS[law_id]
    settings = {variable.name: 1.5 for variable in law.variables.values() if variable.default is None}
    if None in {value for _, _, value in law.constants()}:
        with suppress(NoAnswer):
            bind(law, name, settings)
        return
    assert bind(law, name, settings).inputs <= set(QUANTITIES)


def test_names_are_unique() -> None:
    """No alias means two laws, or a law of that id; every alias finds its law."""
    names = Counter([*LAWS, *(alias for law in LAWS.values() for alias in law.aliases)])
    assert [name for name, count in names.items() if count > 1] == []
    for law in LAWS.values():
        for alias in law.aliases:
            assert NAME.fullmatch(alias)
            assert repr(catalogue.load_law(alias)) == repr(law)
    assert {"chinchilla", "openai", "kaplan"} <= set(names)
    assert catalogue.law_names() == sorted(names)


def test_references_to_other_laws() -> None:
    """supersedes and superseded_by name laws, and each other."""
    for law in LAWS.values():
        for name in filter(None, (law.supersedes, law.superseded_by)):
            assert name in LAWS
        if law.supersedes:
            assert LAWS[law.supersedes].superseded_by == law.id
        if law.superseded_by:
            assert LAWS[law.superseded_by].supersedes == law.id


# figures


def test_there_are_figures() -> None:
    """Published ones, across most presets, of every kind."""
    assert len(FIGURES) >= 250
    assert sum(bool(law.figures) for law in LAWS.values()) >= 35
    assert {LAWS[law_id].figures[i].kind for law_id, i in FIGURES} == set(KINDS)


@pytest.mark.parametrize(("law_id", "index"), FIGURES, ids=lambda value: str(value))
def test_a_published_figure_holds(law_id: str, index: int) -> None:
    """Reproduced within its tolerance; an erratum missed."""
    figure = LAWS[law_id].figures[index]
    verdict = check_figure(LAWS[law_id], figure)
    assert not verdict.problem
    assert verdict.got is not None
    assert math.isfinite(verdict.got)
    assert verdict.holds, f"{figure.of} at {figure.where}: published {figure.expect:g}, got {verdict.got:g}"


@pytest.mark.parametrize(("law_id", "index"), FIGURES, ids=lambda value: str(value))
def test_a_figure_could_fail(law_id: str, index: int) -> None:
    """It says where it was printed, and three times the figure would not hold; an order of magnitude is the loosest."""
    figure = LAWS[law_id].figures[index]
    assert figure.where
    assert 0.0 < figure.tolerance <= (0.25 if figure.kind != "errata" and "~" not in figure.note else 0.5)
    if figure.kind != "errata":
        assert not check_figure(LAWS[law_id], figure._replace(expect=3.0 * figure.expect)).holds


def test_the_same_figure_is_not_counted_twice() -> None:
    """Within a preset."""
    for law in LAWS.values():
        keys = Counter(
            (f.of, *map(str, (sorted(f.given.items()), sorted(f.plan.items()), sorted(f.per.items()), f.expect)))
            for f in law.figures
        )
        assert [key for key, count in keys.items() if count > 1] == [], law.id


# what the laws say


def loss_laws() -> list[str]:
    return [law_id for law_id, law in LAWS.items() if "loss" in law.relations and not law.is_form]


@pytest.mark.parametrize("law_id", loss_laws())
def test_losses_are_finite_where_they_are_valid(law_id: str) -> None:
    """Over the whole experimented range of N and D, or the field's where none is given: finite, positive, plausible."""
    law = LAWS[law_id]
    valid = law.relations["loss"].valid
    (n_low, n_high), (d_low, d_high) = valid.get("N", (1e7, 1e11)), valid.get("D", (1e9, 1e13))
    for step, other in product(range(5), range(5)):
        params, tokens = n_low * (n_high / n_low) ** (step / 4), d_low * (d_high / d_low) ** (other / 4)
        loss = Surface(law, {}).loss_of(params, tokens)
        assert 0.1 < loss < 20.0


@pytest.mark.parametrize(("law_id", "name"), RELATIONS)
def test_relations_of_flops_are_finite_where_they_are_valid(law_id: str, name: str) -> None:
    """optimal_params and the like over their range of C."""
    relation = LAWS[law_id].relations[name]
    low, high = relation.valid.get("C", (1e18, 1e24))
    try:
        bound = bind(LAWS[law_id], name, {})
    except (InputError, NoAnswer):
        return
    if bound.inputs == {"C"} and not isinstance(relation.formula, Minimum):
        values = [bound(C=low * (high / low) ** (step / 8)) for step in range(9)]
        assert all(math.isfinite(value) and value > 0.0 for value in values)
        assert values == sorted(values, reverse=values[0] > values[-1])


def exponent(law: Law, name: str) -> float:
    return math.log10(bind(law, name, {})(C=1e22) / bind(law, name, {})(C=1e21))


def test_kaplan_exponents() -> None:
    """N ~ C^0.73 and D ~ C^0.27: ten times the compute is 5.37 times the params, and 1.86 times the tokens."""
    law = catalogue.load_law("openai")
    assert law.id == catalogue.load_law("kaplan").id == "kaplan-2020"
    assert exponent(law, "optimal_params") == pytest.approx(0.73, abs=1e-12)
    assert exponent(law, "optimal_tokens") == pytest.approx(0.27, abs=1e-12)
    small, large = (Planner(law).plan({"flops": flops}) for flops in (1e21, 1e22))
    assert large.params / small.params == pytest.approx(5.37, abs=0.005)
    assert large.tokens / small.tokens == pytest.approx(1.86, abs=0.005)


def test_kaplan_at_the_critical_batch() -> None:
    """c_over_cmin = 2 gives the 4.68B at 1e21 that Hoffmann et al. compare with; 1 gives 7.77B."""
    law = catalogue.load_law("kaplan-2020")
    assert Planner(law).plan({"flops": 1e21}).params == pytest.approx(4.68e9, rel=0.002)
    assert Planner(law, {"c_over_cmin": 1.0}).plan({"flops": 1e21}).params == pytest.approx(7.77e9, rel=0.002)


def test_chinchilla_exponents_and_anchor() -> None:
    """N ~ C^0.5, D ~ C^0.5, through the row of Table 3 that asks for 1B params."""
    law = catalogue.load_law("chinchilla")
    assert law.id == "hoffmann-2022"
    assert exponent(law, "optimal_params") == pytest.approx(0.5, abs=1e-12)
    small, large = (Planner(law).plan({"flops": flops}) for flops in (1e21, 1e23))
    assert large.params / small.params == pytest.approx(10.0)
    assert large.tokens / small.tokens == pytest.approx(10.0)
    row = Planner(law).plan({"flops": 1.21e20})
    assert row.params == pytest.approx(1e9)
    assert row.tokens == pytest.approx(20.2e9, rel=0.002)


def test_the_ways_to_chinchilla_disagree() -> None:
    """At Gopher's budget: 68B by approach 1, 63B by 2, 40B by 3, 32B by the rounded constants of 3."""
    published = {"hoffmann-2022": 68e9, "hoffmann-2022-approach-2": 63e9, "hoffmann-2022-approach-3": 40e9}
    for law_id, params in (published | {"hoffmann-2022-approach-3-rounded": 32e9}).items():
        assert Planner(LAWS[law_id]).plan({"flops": 5.76e23}).params == pytest.approx(params, rel=0.03)


# the catalogue


def test_the_catalogue_is_up_to_date() -> None:
    """presets/catalogue.json is what `python -m scaling_cli.files` would write now."""
    remembered = json.loads(Path(catalogue.CATALOGUE).read_text(encoding="utf-8"))
    assert sorted(remembered) == sorted(LAWS)
    for law_id, law in LAWS.items():
        entry = remembered[law_id]
        assert entry["checksum"] == zlib.crc32((Path(catalogue.LAWS) / f"{law_id}.yaml").read_bytes()), law_id
        fresh = json.loads(json.dumps(catalogue.describe(law)))
        assert {key: entry[key] for key in fresh} == fresh, law_id
        assert repr(catalogue.load_law(law_id)) == repr(law)


@pytest.mark.parametrize("law_id", LAWS)
def test_a_status_claims_no_more_than_is_checked(law_id: str) -> None:
    """Reproduced only where figures hold constants in place."""
    entry = catalogue.catalogue()[law_id]
    status, constants, checked = str(entry["status"]), entry["constants"], entry["constants_checked"]
    assert 0 <= int(str(checked)) <= int(str(constants))
    if checked == 0:
        assert "reproduced" not in status.replace("transcribed, not reproduced", "")
    if status == "reproduced":
        assert checked == constants > 0
        assert entry["figures"]
    if LAWS[law_id].is_form:
        assert status == "form, no constants published"
