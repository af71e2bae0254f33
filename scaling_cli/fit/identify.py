"""Whether runs can determine a form at all, asked before the fit and after it, with what to run next."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.formulas import names_in
from scaling_cli.core.notes import listed
from scaling_cli.errors import NoAnswer
from scaling_cli.fit.effects import Effects
from scaling_cli.fit.forms import Form, defaults_behind, terms_of, written_default
from scaling_cli.fit.optima import LARGEST_CONDITION, PointFit

Array = Any
SAME = 0.02  # largest distance of logarithms within which values are about one value
EXACTLY, FAR = 5e-4, 0.4  # distances of logarithms: below, not worth a word; above, a factor rather than a share
TAKES_PART = 0.05  # of a direction of length 1: below it a coefficient only follows
WORDS = {"N": ("model size", "params"), "D": ("number of tokens", "tokens"), "C": ("budget", "flops")}
# Spreads below are root mean squares of logarithms, and the limits ours, by simulation: Chinchilla's law, huber-log,
# 200 to 250 refits, how often the 90 % interval of the exponent a held the truth with noise of 0.1, 0.3 and 1 %. Runs
# off a line of log D in log N over two decades, 12 sizes: 12 of 14, 3 of 11, 2 of 9 at 0.01; 25 of 28, 16 of 25, 5 of
# 15 at 0.02; 26 of 28, 20 of 27, 9 of 21 at 0.05; 27 of 28, 26 of 28, 15 of 27 at 0.1; 20 sizes along slope 1.3: 7, 8,
# 3 of 12 at 0.02, 9, 9, 6 at 0.05, 11, 8, 9 at 0.1. Two ratios 1.5 apart, 0.2: 14, 14, 13 of 14, and 8 of 10 with 3 %.
UNTOLD_LINE, OFF_LINE = 0.03, 0.2  # below the first no answer, below the second a note
# Sizes about one size, tokens over two decades: 1, 2, 3 of 12 at 0.05; 12, 11, 7 at 0.3; 12 each at 0.6.
UNTOLD_ONE, OFF_ONE = 0.1, 0.5
ELSEWHERE = "where the runs have none, fit a form without it: --compare ranks those that they can tell"
FURTHER = "smaller or larger by a factor of 4 or more"
FAR_OFF = 1e4  # times its start: where a coefficient may have run away
LOST = 1e100  # times its start: where it has, though derivatives that underflow say otherwise
NOTHING = 1e-6  # share of the residuals: below it an e-fold of a coefficient does nothing
LEVEL = 1e-140  # largest slope of all residuals together, below which only underflow is left
ROUNDED = 1e15  # condition numbers above are rounding alone, or nearly: 2**52 is 4.5e15
ROUNDING = 1e-13  # of residuals, relative to the target


class Weakness(NamedTuple):
    """What runs hardly tell apart: in words, what to run, how far runs spread, how far they must, and should."""

    problem: str
    hint: str
    spread: float
    needed: float
    wanted: float


def check_runs(form: Form, data: Mapping[str, Array], size: int) -> None:
    """Raise NoAnswer when the runs cannot tell the form's coefficients apart.

    Args:
        form: what is to be fitted.
        data: the columns it uses, (n,) each.
        size: how many runs there are.
    """
    wanted = len(form.free)
    if size <= wanted:
        runs = "1 run" if size == 1 else f"{size} runs"
        raise NoAnswer(
            f"{runs} cannot determine {wanted} coefficients ({', '.join(c.name for c in form.free)})",
            f"at least {wanted + 1} are needed; add runs, or fix coefficients with --fix",
        )
    for weakness in _weaknesses(form, data):
        if weakness.spread < weakness.needed:
            raise NoAnswer(f"{weakness.problem} cannot be told apart", weakness.hint)


def doubts(form: Form, data: Mapping[str, Array]) -> list[str]:
    """Return notes on what the runs hardly tell apart, where intervals promise more than they hold.

    Args:
        form: what was fitted.
        data: the columns it uses, (n,) each.
    """
    return [
        f"{weakness.problem} are hardly told apart, and intervals hold the truth less often than they say; "
        f"{weakness.hint}"
        for weakness in _weaknesses(form, data)
        if weakness.spread < weakness.wanted
    ]


def check_fit(form: Form, fit: PointFit, data: Mapping[str, Array]) -> None:
    """Raise NoAnswer when the optimum is no point: some coefficients do not matter, alone or together, or run away.

    Args:
        form: what was fitted.
        fit: its optimum.
        data: the columns it uses, (n,) each.
    """
    scale = fit.at.scale[0]
    if not scale.max() > LEVEL:
        first = form.free[0].name
        problem = "no start came to where the coefficients matter: the formula is level there"
        raise NoAnswer(problem, f"say where to start: --start {first}=VALUE, and so on for each that is far from 1")
    loose = [form.free[i].name for i in _runaways(form, fit)]
    why, advice = ": the best value is beyond any that the runs can tell", "add runs that it matters to"
    condition = fit.certificate.condition_number
    if not loose and condition > LARGEST_CONDITION:
        loose = [form.free[i].name for i in _undetermined(fit.at.hessian[0], scale)]
        number = f" (condition number {condition:.1e})" if condition < ROUNDED else ""
        they = "it" if len(loose) == 1 else "together they"
        why, advice = f"{number}: {they} can change without effect", _spread_further(data)
    if not loose and fit.idle.any():
        loose = [form.free[i].name for i in np.flatnonzero(fit.idle)]
        why, advice = ": the best fit leaves that part without effect", _spread_further(data)
    if not loose:
        return
    if few := list(_few_values(form, data, loose)):
        why = ": " + "; ".join(problem for problem, _ in few)
        advice = f"add runs at another {' and another '.join(thing for _, thing in few)}, {FURTHER}"
    one = f"{loose[0]} with --fix {loose[0]}=VALUE" if len(loose) == 1 else "one of them with --fix"
    unknown = _default_hints(form, loose)
    hints = [*unknown, ELSEWHERE] if unknown else [f"{advice}, or fix {one}"]
    raise NoAnswer(f"the runs do not determine {', '.join(loose)}{why}", *hints)


def _spread_further(data: Mapping[str, Array]) -> str:
    """Say how to determine more: runs that differ more in what the form is of."""
    return "add runs" + (f" that spread further in {listed(WORDS.get(x, ('', x))[1] for x in data)}" if data else "")


def _few_values(form: Form, data: Mapping[str, Array], loose: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield in words which columns have fewer values than the form has coefficients to tell from these alone, and what.

    A constant is one of them: two values of N tell no floor from an exponent.
    """
    free = [coefficient.name for coefficient in form.free]
    terms = [set(names_in(term)) for term in terms_of(form.tree)]
    constants = set().union(*(names for names in terms if names.isdisjoint(data)))
    for letter, values in data.items():
        with_it = [names for names in terms if letter in names]
        if any(len(names & data.keys()) > 1 for names in with_it):
            continue  # the values of the other one count too
        elsewhere = set().union(*(names for names in terms if letter not in names)) - constants
        mine = set().union(*with_it) - elsewhere
        count = _different(values)
        if 1 < count < len(mine & set(free)) + bool(constants & set(free)) and mine & set(loose):
            wanted = [name for name in free if name in mine | constants]
            thing, column = WORDS.get(letter, (letter, letter))
            yield f"only {count} different {column}, too few to tell {', '.join(wanted)} apart", thing


def _different(values: Array) -> int:
    """Return how many values there are, those about the same counted once."""
    positive = bool((values > 0.0).all())
    gaps = np.diff(np.sort(np.log(values) if positive else values))
    return 1 + int((gaps > (SAME if positive else 0.0)).sum())


def _weaknesses(form: Form, data: Mapping[str, Array]) -> Iterator[Weakness]:
    """Yield how far the sizes of runs spread, each alone and in pairs that the form tells apart."""
    effects = Effects(form)
    used = set(names_in(form.tree))
    sizes = [letter for letter in WORDS if letter in used and (data[letter] > 0.0).all() and effects.matters(letter)]
    pairs = [pair for pair in combinations(sizes, 2) if effects.are_apart(*pair)]
    for letter in sizes:
        in_pair = any(letter in pair for pair in pairs)
        if in_pair or _distance(np.log(data[letter])) <= SAME:
            yield _about_one(letter, data[letter], in_pair=in_pair)
    for x, y in pairs:
        if weakness := _along_line(x, y, data):
            yield weakness


def _about_one(letter: str, values: Array, *, in_pair: bool) -> Weakness:
    thing, column = WORDS[letter]
    logs = np.log(values)
    if _distance(logs) > FAR:
        width, even = float(np.ptp(logs)), float(logs.std()) * 12.0**0.5  # of evenly spaced values about the same
        like = "" if width <= even else "no further than evenly spaced ones "
        what = f"{column} spread {like}over a factor of {float(np.exp(min(width, even))):.2g} only"
        hint = f"add runs that spread {column} evenly over a factor of 10"  # somewhat more than OFF_ONE
    else:
        about, within = _nearness(logs)
        what = f"every run has {about}one {thing} ({column} {float(np.median(values)):.4g}{within})"
        hint = f"add runs that differ in {column}, by a factor of 4 or more"
    problem = f"{what}: what is due to {column} and the constant"
    return Weakness(problem, hint, float(logs.std()) if in_pair else 0.0, UNTOLD_ONE, OFF_ONE)


def _along_line(x: str, y: str, data: Mapping[str, Array]) -> Weakness | None:
    """Return how far runs leave the line of log Y in log X; None where it falls.

    Along a falling one, such as a single budget, one part of the loss rises where the other falls, which tells them
    apart: in the simulation above 9 sizes over a factor of 16 held 14, 13 and 11 of 14.
    """
    first, second = np.log(data[x]), np.log(data[y])
    slope, level = np.polyfit(first, second, 1)
    if slope <= 0.0:
        return None
    off, ratio = second - slope * first - level, second - first
    spread = float(np.sqrt((off**2).sum() / max(off.size - 2, 1)))
    a, b = WORDS[x][1], WORDS[y][1]
    if (x, y) == ("N", "D") and ratio.std() < 2.0 * max(spread, SAME):
        about, within = _nearness(ratio)
        what = f"every run has {about}the same tokens per parameter ({float(np.exp(np.median(ratio))):.4g}{within})"
        hint = "add runs at another ratio, for example 4 times as many tokens per parameter"
    else:
        what = f"{b} follow {a} in every run (as {a}**{slope:.3g}{_nearness(off)[1]})"
        hint = f"add runs with 4 times as many {b} at the same {a}"
    return Weakness(f"{what}: what is due to {a} and what is due to {b}", hint, spread, UNTOLD_LINE, OFF_LINE)


def _nearness(logs: Array) -> tuple[str, str]:
    """Return "about " and within how much of their middle all values lie; nothing where that is not worth a word."""
    distance = _distance(logs)
    if distance <= EXACTLY:
        return "", ""
    percent = f"{100.0 * float(np.expm1(distance)):.2g} %"
    return "about ", f", within {percent}" if distance <= FAR else f", within a factor of {float(np.exp(distance)):.2g}"


def _distance(logs: Array) -> float:
    """Return the largest distance from the middle."""
    return float(np.abs(logs - np.median(logs)).max())


def _runaways(form: Form, fit: PointFit) -> list[int]:
    """Return the numbers of the coefficients that grew until they do nothing: e times as much changes no residual.

    One that falls to zero is no runaway: its part of the formula ends there.
    """
    rounding = ROUNDING * np.sqrt(fit.residuals.size)
    least = max(NOTHING * np.sqrt(2.0 * fit.objective), rounding)
    effects = fit.at.scale[0] * np.maximum(np.abs(fit.inner), 1.0)
    grown = np.abs(fit.values) / np.abs([coefficient.start or 1.0 for coefficient in form.free])
    return [int(i) for i in np.flatnonzero(((effects < least) & (grown > FAR_OFF)) | (grown > LOST))]


def _default_hints(form: Form, loose: Sequence[str]) -> list[str]:
    """Return what to do about variables that runs could have, and that stand at their defaults for want of a column."""
    return [
        f"{variable.name} ({variable.meaning}) has no column and stands at its default, {written_default(variable)}: "
        f"name its column with --columns {variable.name}=COLUMN"
        for variable in defaults_behind(form, loose)
    ]


def _undetermined(matrix: Array, scale: Array) -> Array:
    """Return the numbers of the coefficients that can move together, or alone, without any effect on the fit.

    Args:
        matrix: (k, k), the normal matrix.
        scale: (k,), the roots of its diagonal.
    """
    values, vectors = np.linalg.eigh(matrix / scale[:, None] / scale[None, :])
    free = np.abs(vectors[:, values <= values[-1] / LARGEST_CONDITION])
    return np.flatnonzero(free.max(axis=1) > TAKES_PART)
