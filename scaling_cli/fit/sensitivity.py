"""How the answer moves when the fit is done in another way: by other objectives, or without the largest runs."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from scaling_cli.core.quantities import format_quantity
from scaling_cli.errors import InputError, NoAnswer
from scaling_cli.fit.cuts import cuts, sizes_of
from scaling_cli.fit.fits import UNCERTAIN, Fit, Options, optimum, started_at
from scaling_cli.fit.objectives import Objective, objective
from scaling_cli.fit.questions import Question, Split, law_at, split_of
from scaling_cli.fit.samples import Sample

STARTS = 4  # the first is the optimum of the fit itself
MANY = 10_000  # runs from which that one has to do: each start costs a fit


class Case(NamedTuple):
    """One way of fitting, and its answer: None where the fit fails, which `notes` explain.

    `runs` counts them, `change` is relative to the fit itself, `split` what the way says of the budget.
    """

    case: str
    runs: int
    answer: float | None = None
    change: float | None = None
    split: Split = Split()
    notes: tuple[str, ...] = ()


def cases(fit: Fit, question: Question) -> list[Case]:
    """Return the fit itself, then the fits by other objectives, then those without the largest runs.

    Args:
        fit: a fit.
        question: the answer whose moves are told.
    """
    ways = [("as fitted", fit.objective, fit.sample), *_other_objectives(fit), *_smaller_runs(fit)]
    found: list[Case] = []
    for name, aim, sample in ways:
        found.append(_case(fit, question, name, aim=aim, sample=sample))
        before = found[0].answer
        if (answer := found[-1].answer) is not None and before:
            found[-1] = found[-1]._replace(change=answer / before - 1.0)
    return found


def _other_objectives(fit: Fit) -> Iterator[tuple[str, Objective, Sample]]:
    names = ("huber-log", "ls-log", "lad-log") if fit.objective.log else ("ls", "lad")
    for name in names:
        if name != fit.objective.name:
            yield name, objective(name), fit.sample


def _smaller_runs(fit: Fit) -> Iterator[tuple[str, Objective, Sample]]:
    name, values = sizes_of(fit.sample)
    for cut in cuts(values):
        text = f"without runs from {format_quantity(cut.size, name)} {name} up"
        yield text, fit.objective, fit.sample.part(values < cut.size)


def _case(fit: Fit, question: Question, name: str, *, aim: Objective, sample: Sample) -> Case:
    form = started_at(fit.form, fit.point)
    point = fit.point
    if sample is not fit.sample or aim is not fit.objective:
        try:
            _, point = optimum(form, sample, Options(aim), starts=STARTS if sample.size < MANY else 1)
        except (InputError, NoAnswer) as error:
            return Case(name, sample.size, notes=(error.message,))
    answer = float(question.answers(point.inner[None])[0])
    is_params = question.name == "params" and question.flops is not None
    split = split_of(law_at(form, fit.problem, point.inner), question.flops or np.nan) if is_params else Split()
    notes = () if point.certificate.converged else (UNCERTAIN,)
    return Case(name, sample.size, answer if np.isfinite(answer) else None, None, split, notes)
