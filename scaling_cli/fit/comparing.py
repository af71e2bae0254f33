"""Several forms fitted to the same runs, ranked by how well they predict the largest ones unseen."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.quantities import format_quantity
from scaling_cli.errors import NoAnswer
from scaling_cli.fit.cuts import SCALE, Cut, Sizes, cuts, sizes_of
from scaling_cli.fit.fits import UNCERTAIN, Options, optimum, started_at
from scaling_cli.fit.forms import Form
from scaling_cli.fit.likelihoods import Criterion, criterion, density_of
from scaling_cli.fit.objectives import Objective
from scaling_cli.fit.optima import PointFit
from scaling_cli.fit.patterns import Pattern, pattern
from scaling_cli.fit.questions import coefficients_at
from scaling_cli.fit.samples import Sample

Array = Any
STARTS = 4  # of each fit to the smaller runs, beside the optimum of the whole
SAME = 1e-9  # relative difference of two objectives that are one


class Contender(NamedTuple):
    """One form of a comparison.

    `coefficients` has fixed and tied ones too, `free` counts the others. `held_out_error` and `held_out_bias` are the
    root mean square and the mean of log(predicted / observed) over held-out runs, None where a fit failed. `notes` say
    what is wrong with it.
    """

    form: str
    formula: str
    coefficients: Mapping[str, float] = {}
    free: int = 0
    held_out_error: float | None = None
    held_out_bias: float | None = None
    value: float | None = None
    criterion: Criterion = Criterion(None, None)
    pattern: Pattern | None = None
    converged: bool = False
    notes: tuple[str, ...] = ()


class Comparison(NamedTuple):
    """Forms, best first, the cuts that tested them by `size`, and the density behind AIC."""

    contenders: tuple[Contender, ...]
    cuts: tuple[Cut, ...]
    size: str
    objective: Objective
    density: str
    notes: tuple[str, ...]


def compare(forms: Sequence[Form], sample: Sample, options: Options, *, distinct: bool = False) -> Comparison:
    """Return forms ranked by error on held-out larger runs, or by AICc where none can be held out.

    Args:
        forms: what to fit.
        sample: the runs, with the columns of every form.
        options: the objective and the seed; refits play no part.
        distinct: whether of forms that fit alike, one written in two ways, the first stands for all.

    Raises: NoAnswer when the runs determine none of the forms.
    """
    sizes = sizes_of(sample)
    tests, notes = _tests(sizes, sample)
    found = [_contender(form, sample, options, sizes=sizes, tests=tests) for form in forms]
    if not any(one.coefficients for one in found):
        reasons = (f"{one.form}: {one.notes[0]}" for one in found)
        raise NoAnswer("the runs determine none of the forms", *dict.fromkeys(reasons))
    found = list(_without_repeats(found)) if distinct else found
    found.sort(key=lambda one: _rank(one, by_error=bool(tests)))
    density = density_of(options.objective)
    return Comparison(tuple(found), tuple(tests), sizes.name, options.objective, density, tuple(notes))


def _tests(sizes: Sizes, sample: Sample) -> tuple[list[Cut], list[str]]:
    """Return the cuts, and what to say of them."""
    if not (sample.target > 0.0).all():
        return [], ["ranked by AICc: the target is not always above zero, so held-out errors have no logarithm"]
    tests = cuts(sizes.values)
    if not tests:
        return [], [f"ranked by AICc: nothing to hold out, since that takes 3 scales of runs a factor {SCALE} apart"]
    parts = [f"{cut.held_out} from {format_quantity(cut.size, sizes.name)} {sizes.name} up" for cut in tests]
    return tests, [f"ranked by error on runs held out, with a fit to the smaller ones each time: {'; '.join(parts)}"]


def _contender(form: Form, sample: Sample, options: Options, *, sizes: Sizes, tests: Sequence[Cut]) -> Contender:
    text = form.law.relations[form.relation].text
    try:
        problem, point = optimum(form, sample, options)
    except NoAnswer as error:
        return Contender(form.name, text, notes=(error.message,))
    miss, bias, trouble = _held_out(started_at(form, point), sample, options, sizes=sizes, tests=tests)
    k = len(form.free)
    left = pattern(point.residuals, sizes.values, coefficients=k)
    score = criterion(options.objective, point.objective, sample.target, weights=sample.weights, coefficients=k)
    return Contender(
        form.name, text, coefficients_at(form, problem, point.inner), k, miss, bias,
        options.objective.told(point.objective), score, left, point.certificate.converged,
        (*_remarks(point, left), *trouble),
    )  # fmt: skip


def _remarks(point: PointFit, left: Pattern) -> Iterator[str]:
    if not point.certificate.converged:
        yield UNCERTAIN
    if left.largest:
        yield f"at the largest scale the fit stays {left.largest} the runs"


def _held_out(
    form: Form, sample: Sample, options: Options, *, sizes: Sizes, tests: Sequence[Cut]
) -> tuple[float | None, float | None, tuple[str, ...]]:
    """Return the root mean square and the mean of held-out errors over all cuts, and why there are none."""
    errors, weights = [], []
    for cut in tests:
        seen = sizes.values < cut.size
        larger = sample.part(~seen)
        below = f"the fit to the runs below {format_quantity(cut.size, sizes.name)} {sizes.name}"
        try:
            problem, point = optimum(form, sample.part(seen), options, starts=STARTS)
        except NoAnswer as error:
            return None, None, (f"no held-out error, without {below}: {error.message}",)
        with np.errstate(all="ignore"):
            errors.append(np.log(problem.predictions(point.inner[None], larger.data)[0] / larger.target))
        weights.append(larger.weights)
        if not np.isfinite(errors[-1]).all():
            return None, None, (f"no held-out error: {below} predicts no loss above zero for larger ones",)
    if not errors:
        return None, None, ()
    every, counts = np.concatenate(errors), np.concatenate(weights)
    return float(np.sqrt(counts @ every**2 / counts.sum())), float(counts @ every / counts.sum()), ()


def _without_repeats(contenders: Sequence[Contender]) -> Iterator[Contender]:
    """Yield contenders but those with as many coefficients and the same minimum as an earlier one."""
    seen: list[tuple[int, float]] = []
    for one in contenders:
        k, value = one.free, one.value
        if value is not None and one.converged:
            if any(k == other and math.isclose(value, least, rel_tol=SAME) for other, least in seen):
                continue
            seen.append((k, value))
        yield one


def _rank(one: Contender, *, by_error: bool) -> tuple[bool, bool, float, float]:
    """Return the place of a contender: not fitted last, then without error, then by error; ties by AICc."""
    information = math.inf if one.criterion.aicc is None else one.criterion.aicc
    error = one.held_out_error if by_error else information
    return not one.coefficients, error is None, math.inf if error is None else error, information
