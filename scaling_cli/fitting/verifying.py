"""A saved fit worked out again from its manifest, and compared with what was saved."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import Draws, Law
from scaling_cli.core.runs import Runs
from scaling_cli.errors import FileError
from scaling_cli.files.presets import read_law
from scaling_cli.files.saving import draws_checksum
from scaling_cli.fit.frontiers import FrontierAnswer
from scaling_cli.fit.predictions import Answer
from scaling_cli.fit.solve import CONVERGED
from scaling_cli.fit.tolerances import coefficient_tolerances, objective_tolerance, quantile_errors
from scaling_cli.fitting.manifests import fact, request_of, versions
from scaling_cli.fitting.methods import fit_runs
from scaling_cli.fitting.saving import refits_of
from scaling_cli.fitting.stated import Covariance, as_text, covariance_by_pairs, furthest_apart

BITS = ("scaling", "numpy", "scipy", "arithmetic")  # where these are the same, everything is to the last bit
# What a fit says of its optimum, and by how much, relative to it, another machine may get something else. Which starts
# end at an optimum hangs by their last digits: half of them may change sides. The rest moves as coefficients do.
CERTIFIED = {"starts": 0.0, "starts_agreeing": 0.5, "condition_number": 1e-6, "minima": 0.0, "scatter": 1e-6}
EPSILON = 1e-15  # of rounding, times the condition number: what moves that itself
COVARIANCE = 1e-6  # relative to both standard errors: coefficients may move by as much of one
RANGE = 1e-12  # relative: of a column that a formula works out with another machine's logarithms
REFITS = "sha256 of the refits"
NOWHERE = (None, None)
Value = str | float | None
Fitted = Answer | FrontierAnswer


class Comparison(NamedTuple):
    """One thing that a preset says of its fit, beside what the fit gives now.

    `difference` and `tolerance` are relative to the larger of both, of a covariance to both standard errors; None for
    texts, which must be the same, and for a slope, which must be nothing on both sides.
    """

    what: str
    saved: Value
    got: Value
    difference: float | None
    tolerance: float | None
    holds: bool


class Verification(NamedTuple):
    """Whether a saved fit comes out again; `versions` has (saved, now) of what it was worked out with."""

    preset: str
    runs: str
    comparisons: tuple[Comparison, ...]
    versions: Mapping[str, tuple[Value, str]]
    notes: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether everything that was compared holds."""
        return all(comparison.holds for comparison in self.comparisons)


def verify_fit(preset: str, runs: str, *, progress: Callable[[int], None] | None = None) -> Verification:
    """Return whether a saved fit comes out again: runs, objective, coefficients and refits.

    Args:
        preset: the file that `save_fit` wrote.
        runs: the table of runs; one that has changed is a finding, and the rest is compared still.
        progress: told how many refits are done, as they are.

    Raises: FileError for a preset without manifest, or files that cannot be read; NoAnswer when the fit fails now.
    """
    law = read_law(preset)
    if not law.manifest:
        raise FileError(preset, "has no manifest to verify", "expected a preset that `scaling fit --save` wrote")
    answer = fit_runs(request_of(law.manifest, runs, path=preset), progress=progress)
    comparisons = (
        *_of_runs(law, answer.runs, preset), *_of_fit(law, answer, preset), *_of_words(law, answer.law),
        *_of_ranges(law, answer.law), *_of_certificate(law, answer), *_of_uncertainty(law, answer),
        *_of_refits(law, refits_of(answer)),
    )  # fmt: skip
    worked_out_with = {name: (law.manifest.get(name), version) for name, version in versions().items()}
    return Verification(preset, runs, comparisons, worked_out_with, tuple(_notes(law, answer, comparisons)))


def _of_runs(law: Law, runs: Runs, path: str) -> Iterator[Comparison]:
    saved = law.manifest
    yield _texts("sha256 of the runs", fact(saved, "sha256", str, path=path), runs.sha256)
    yield _numbers("rows read", fact(saved, "rows_read", int, path=path), runs.read, 0.0)
    yield _numbers("rows used", fact(saved, "rows_used", int, path=path), runs.used, 0.0)


def _of_fit(law: Law, answer: Fitted, path: str) -> Iterator[Comparison]:
    fit = answer.fit
    for name in {**answer.law.relations, **law.relations}:
        texts = (each.relations[name].text if name in each.relations else None for each in (law, answer.law))
        yield _texts(f"formula of {name}", *texts)
    value = fact(law.manifest, "value", float, path=path)
    yield _numbers("objective", value, float(answer.manifest["value"]), objective_tolerance(fit))
    saved = {name: value for _, name, value in law.constants()}
    for name, value, tolerance in zip(fit.names, fit.values.tolist(), coefficient_tolerances(fit), strict=True):
        yield _numbers(f"coefficient {name}", saved.get(name), value, tolerance)


def _of_words(saved: Law, got: Law) -> Iterator[Comparison]:
    """Compare what turns the numbers into answers: any of it changes plans as a coefficient does."""
    then, now = (dict(_words(law)) for law in (saved, got))
    for what in {**now, **then}:
        yield _texts(what, then.get(what), now.get(what))


def _words(law: Law) -> Iterator[tuple[str, str]]:
    """Yield (what, text) of all that a law says beside its numbers, but for what is only there to be read."""
    yield from ((f"let {name}", formula.text) for name, formula in law.let.items())
    for name, variable in law.variables.items():
        default = variable.default.text if isinstance(variable.default, Formula) else variable.default
        if default is not None:
            yield f"default of {name}", str(default)
        yield from _stated(name, {"unit": variable.unit, "meaning": variable.meaning})
    for name, relation in law.relations.items():
        yield from _stated(name, {"unit": relation.unit, "gives": relation.gives})
    yield from ((f"frontier {key}", name) for key, name in law.frontier.items())
    yield from ((f"convention {key}", text) for key, text in law.conventions.items())


def _stated(name: str, fields: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((f"{field} of {name}", text) for field, text in fields.items() if text)


def _of_ranges(saved: Law, got: Law) -> Iterator[Comparison]:
    """Compare the ranges of the runs, which decide what is called outside of them."""
    tolerance = RANGE if _changed(saved, BITS) else 0.0
    for name, relation in got.relations.items():
        then = saved.relations[name].valid if name in saved.relations else {}
        for variable in {**relation.valid, **then}:
            ends = zip(then.get(variable, NOWHERE), relation.valid.get(variable, NOWHERE), strict=True)
            for word, (a, b) in zip(("least", "largest"), ends, strict=True):
                yield _numbers(f"{word} {variable} of {name}", a, b, tolerance)


def _of_certificate(law: Law, answer: Fitted) -> Iterator[Comparison]:
    """Compare what is said of the optimum: exactly, or within what another machine may get."""
    then, now, elsewhere = law.manifest, answer.manifest, bool(_changed(law, BITS))
    if "formula" in now:
        yield _texts("formula of the manifest", _text(then.get("formula")), _text(now["formula"]))
    for key, tolerance in CERTIFIED.items():
        if key in now:
            got = _number(now[key])
            allowed = max(tolerance, EPSILON * (got or 0.0)) if key == "condition_number" else tolerance
            yield _numbers(key.replace("_", " "), _number(then.get(key)), got, allowed if elsewhere else 0.0)
    if "gradient_norm" in now:
        slopes = _number(then.get("gradient_norm")), float(now["gradient_norm"])
        yield _nothing("gradient norm", *slopes) if elsewhere else _numbers("gradient norm", *slopes, 0.0)


def _of_uncertainty(saved: Law, answer: Fitted) -> Iterator[Comparison]:
    """Compare what relations state of how sure their numbers are, but for the refits."""
    got = answer.law
    for name in {**got.relations, **saved.relations}:
        stated = [law.relations[name].uncertainty if name in law.relations else {} for law in (saved, got)]
        for key in ("intervals", "standard_errors"):
            texts = [as_text(each.get(key)) for each in stated]
            if any(texts):
                yield _texts(f"{key} of {name}", *texts)
        if any("covariance" in each for each in stated):
            allowed = max(COVARIANCE, EPSILON * answer.fit.certificate.condition_number)
            then, now = (covariance_by_pairs(each.get("covariance")) for each in stated)
            yield _covariances(name, then, now, allowed if _changed(saved, BITS) else 0.0)


def _covariances(relation: str, saved: Covariance, got: Covariance, tolerance: float) -> Comparison:
    """Compare covariances by the pair that is furthest apart; by their names where these differ."""
    if saved.keys() != got.keys() or not got:
        texts = (", ".join(dict.fromkeys(name for name, _ in each)) or None for each in (saved, got))
        return _texts(f"names of the covariance of {relation}", *texts)
    (one, other), difference = furthest_apart(saved, got)
    holds = difference <= tolerance
    what = f"covariance of {relation}" if holds else f"covariance of {one} and {other}"
    return Comparison(what, saved[one, other], got[one, other], difference, tolerance, holds)


def _nothing(what: str, saved: float | None, got: float) -> Comparison:
    """Compare two slopes that are as good as none: which rounding is left of them says nothing."""
    return Comparison(what, saved, got, None, None, saved is not None and saved <= max(CONVERGED, 10.0 * got))


def _of_refits(law: Law, got: Draws | None) -> Iterator[Comparison]:
    """Compare the refits: all their bits, or their quantiles where another machine or numpy worked them out."""
    saved = law.draws
    if saved is None and got is None:
        return
    if saved and got:
        yield _numbers("level of the intervals", saved.level, got.level, 0.0)
    bits = _texts(REFITS, *(draws_checksum(draws) if draws else None for draws in (saved, got)))
    ends = list(_of_ends(saved, got)) if saved and got and saved.names == got.names and not bits.holds else []
    if not ends or not _changed(law, BITS):
        yield bits
    yield from ends


def _of_ends(saved: Draws, got: Draws) -> Iterator[Comparison]:
    for word, sign in (("low", -0.5), ("high", 0.5)):
        (then, _), (now, errors) = (quantile_errors(draws.rows, 0.5 + sign * saved.level) for draws in (saved, got))
        for name, a, b, error in zip(got.names, then.tolist(), now.tolist(), errors.tolist(), strict=True):
            scale = max(abs(a), abs(b)) or 1.0
            yield _numbers(f"{100.0 * saved.level:g} % {word} of {name}", a, b, error / scale)


def _text(value: Value) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Value) -> float | None:
    return value if isinstance(value, int | float) else None


def _texts(what: str, saved: str | None, got: str | None) -> Comparison:
    return Comparison(what, saved, got, None, None, saved == got)


def _numbers(what: str, saved: float | None, got: float | None, tolerance: float) -> Comparison:
    if saved is None or got is None:
        return Comparison(what, saved, got, None, tolerance, False)
    difference = abs(got - saved) / (max(abs(got), abs(saved)) or 1.0)
    return Comparison(what, saved, got, difference, tolerance, difference <= tolerance)


def _changed(law: Law, names: Iterable[str]) -> list[str]:
    now = versions()
    return [name for name in names if law.manifest.get(name) != now[name]]


def _notes(law: Law, answer: Fitted, compared: Sequence[Comparison]) -> Iterator[str]:
    saved, now = law.manifest, versions()
    if saved["sha256"] != answer.runs.sha256:
        yield f"the runs are not those of the fit: sha256 {answer.runs.sha256[:12]}, not {str(saved['sha256'])[:12]}"
    if changed := _changed(law, now):
        yield "then and now: " + ", ".join(f"{name} {saved.get(name, 'unknown')} and {now[name]}" for name in changed)
    if not any(comparison.what == REFITS for comparison in compared) and law.draws:
        yield "the refits are not the same to the last digit, as they need not be there: their quantiles are compared"
    yield from answer.fit.notes
    failing = [comparison.what for comparison in compared if not comparison.holds]
    total = f"{len(compared) - len(failing)} of {len(compared)} hold"
    yield f"{total}; what differs: {', '.join(failing)}" if failing else total
