"""How often 90 % intervals hold the truth, over designs, noises and objectives. Seeds are fixed.

    python benchmarks/calibration.py [REPLICATES]

Simulates losses of one law, E + A / N**alpha + B / D**beta, on each design, fits them, and asks whether the intervals
of a (N ~ C**a) and of log N at 100 times the design's largest budget hold the truth. A row is a cell of REPLICATES data
sets (default 100) with REFITS refits each; +- is a binomial standard error, in points. `half width` is the mean of half
an interval; `none` counts data sets whose fit was refused or had no interval, which are left out of the coverage.
The last lines average the cells. Takes about ten minutes on two cores.
"""

import math
import os
from collections.abc import Callable
from multiprocessing import Pool
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: threads only get in each other's way

import numpy as np
from usage import number_of

from scaling_cli.cli.progress import Progress
from scaling_cli.core.comparisons import plan_law
from scaling_cli.errors import NoAnswer
from scaling_cli.fit.fits import Fit, Options, fit_form, refits
from scaling_cli.fit.forms import formula_form
from scaling_cli.fit.objectives import objective
from scaling_cli.fit.predictions import exponents
from scaling_cli.fit.samples import sample_of

Array = Any
REPLICATES = 100
REFITS = 300
BEYOND = 100.0
FORM = formula_form("E + A / N**alpha + B / D**beta", ["N", "D"], positive=[], target="loss")
E, A, B, ALPHA, BETA = 1.82, 482.0, 2085.0, 0.348, 0.366  # Besiroglu et al. 2024, arXiv:2404.10102, as rounded there
TRUE_A = BETA / (ALPHA + BETA)
OBJECTIVES = ("huber-log", "ls-log")


class Cell(NamedTuple):
    """What one row of the table is about."""

    design: str
    noise: str
    objective: str


class Outcome(NamedTuple):
    """Of one data set: the interval of a and of log N, and log N itself; None where there is none."""

    a: tuple[float, float] | None
    log_params: tuple[float, float] | None
    truth: float


def optimal_params(flops: Array) -> Array:
    """Return the true optimum N of budgets, from dL/dN = 0 at 6ND = C."""
    return (ALPHA * A / (BETA * B)) ** (1.0 / (ALPHA + BETA)) * (flops / 6.0) ** TRUE_A


def isoflop(rng: np.random.Generator) -> tuple[Array, Array]:
    """Return 6 budgets of 7 sizes, up to 4 times either side of the optimum: N and D, (42,) each."""
    flops = np.repeat(np.geomspace(6e18, 1e21, 6), 7)
    params = optimal_params(flops) * np.tile(np.geomspace(0.25, 4.0, 7), 6)
    return params, flops / (6.0 * params)


def ladder(rng: np.random.Generator) -> tuple[Array, Array]:
    """Return 5 sizes at 4 ratios of tokens to params each: N and D, (20,) each."""
    params = np.repeat(np.geomspace(3e7, 3e9, 5), 4)
    return params, params * np.tile([5.0, 20.0, 80.0, 320.0], 5)


def scattered(count: int) -> Callable[[np.random.Generator], tuple[Array, Array]]:
    """Return a design of runs scattered over 2.5 decades of params and of tokens, anew in each data set."""
    return lambda rng: (10.0 ** rng.uniform(7.5, 10.0, count), 10.0 ** rng.uniform(9.0, 11.5, count))


DESIGNS = {
    "isoFLOP 6 x 7": isoflop, "ladder 5 x 4": ladder, "24 scattered": scattered(24),
    "40 scattered": scattered(40), "240 scattered": scattered(240),
}  # fmt: skip
NOISES: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "normal 0.3 %": lambda rng, n: 0.003 * rng.standard_normal(n),
    "normal 1 %": lambda rng, n: 0.01 * rng.standard_normal(n),
    "normal 3 %": lambda rng, n: 0.03 * rng.standard_normal(n),
    "t3, sd 1 %": lambda rng, n: 0.01 * rng.standard_t(3, n) / np.sqrt(3.0),
}
CELLS = [Cell(design, noise, name) for design in DESIGNS for noise in NOISES for name in OBJECTIVES]


def main() -> None:
    """Print the table."""
    replicates = number_of(__doc__, "REPLICATES", REPLICATES)
    tasks = [(cell, replicate) for cell in CELLS for replicate in range(replicates)]
    outcomes: list[Outcome] = []
    with Pool(2) as pool, Progress("calibrating", "data sets", len(tasks)) as progress:
        for outcome in pool.imap(examine, tasks, chunksize=5):
            outcomes.append(outcome)
            progress(1)
    heads = "".join(f"{head:>12}" for head in ("a", "half width", "log N", "half width"))
    print(f"{'design':15}{'noise':14}{'objective':11}{heads}{'none':>6}")
    for i, cell in enumerate(CELLS):
        mine = outcomes[i * replicates : (i + 1) * replicates]
        print(f"{cell.design:15}{cell.noise:14}{cell.objective:11}{described(mine)}")
    for name in OBJECTIVES:
        chosen = [outcome for (cell, _), outcome in zip(tasks, outcomes, strict=True) if cell.objective == name]
        print(f"{'average':29}{name:11}{described(chosen)}")
    print(f"{'average':40}{described(outcomes)}")


def described(outcomes: list[Outcome]) -> str:
    """Return the coverage and mean half width of both intervals."""
    a = [(outcome.a, TRUE_A) for outcome in outcomes if outcome.a]
    log_params = [(outcome.log_params, outcome.truth) for outcome in outcomes if outcome.log_params]
    none = sum(outcome.a is None or outcome.log_params is None for outcome in outcomes)
    return "".join(_coverage(found) for found in (a, log_params)) + f"{none:6}"


def _coverage(found: list[tuple[tuple[float, float], float]]) -> str:
    if not found:
        return f"{'-':>12}{'-':>12}"
    share = float(np.mean([low <= truth <= high for (low, high), truth in found]))
    error = np.sqrt(max(share * (1.0 - share), 0.25 / len(found)) / len(found))
    half = float(np.mean([0.5 * (high - low) for (low, high), _ in found]))
    return f"{100.0 * share:7.1f} +-{100.0 * error:3.1f}{half:12.3f}"


def examine(task: tuple[Cell, int]) -> Outcome:
    """Return what the intervals of one data set say."""
    cell, replicate = task
    params, tokens, loss = simulated(cell, replicate)
    flops = BEYOND * float((6.0 * params * tokens).max())
    truth = float(np.log(optimal_params(flops)))
    try:
        fit = fitted(cell, params, tokens, loss)
        exponent, plan = exponents(fit, flops)[0], plan_law(fit.law._replace(draws=refits(fit)), {"flops": flops}, {})
    except NoAnswer:
        return Outcome(None, None, truth)
    a = None if exponent.low is None or exponent.high is None else (exponent.low, exponent.high)
    ends = (math.log(plan.low["params"]), math.log(plan.high["params"])) if plan.low else None
    return Outcome(a, ends, truth)


def simulated(cell: Cell, replicate: int) -> tuple[Array, Array, Array]:
    """Return N, D and L of a data set; both objectives see the same ones."""
    rng = np.random.default_rng([list(DESIGNS).index(cell.design), list(NOISES).index(cell.noise), replicate])
    params, tokens = DESIGNS[cell.design](rng)
    loss = E + A / params**ALPHA + B / tokens**BETA
    return params, tokens, loss * np.exp(NOISES[cell.noise](rng, params.size))


def fitted(cell: Cell, params: Array, tokens: Array, loss: Array) -> Fit:
    """Return the fit of a data set."""
    sample = sample_of({"N": params, "D": tokens}, loss)
    return fit_form(FORM, sample, Options(objective(cell.objective), REFITS))


if __name__ == "__main__":
    main()
