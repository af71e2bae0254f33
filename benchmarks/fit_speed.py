"""How long a fit takes, beside a plain scipy multi-start of the same objective; then other forms, then the command.

    python benchmarks/fit_speed.py [DRAWS]

Times are of the processor (both cores together, so that other work on the machine matters less), then of the clock.

1. E + A / N**alpha + B / D**beta with Huber 1e-3 on log residuals, on 240, 2400 and 24000 simulated runs: the point fit
   (best of three), DRAWS refits (default 4000; fewer are timed for the larger sets, and scaled up), and L-BFGS-B from
   16 starts with an exact gradient. The last column says how far scipy's best objective lies above ours.
2. The forms of the shipped laws on 240 runs simulated from their published constants with 1 % of noise: the point fit,
   the refits, and the refits relative to those of the first. A form that the runs do not determine is said to be so.
3. The whole command as a process, with 1000 draws and a prediction, best of three.
4. The whole command on a file of a million points of simulated training curves of a hundred sizes, by each method,
   best of two, and the peak memory; the method with a formula without refits.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from usage import number_of

from scaling_cli.core.formulas import compile_tree, names_in
from scaling_cli.errors import NoAnswer
from scaling_cli.files.catalogue import load_law
from scaling_cli.fit.bootstrap import bootstrap
from scaling_cli.fit.forms import Form, formula_form, preset_form, settle
from scaling_cli.fit.identify import check_fit
from scaling_cli.fit.objectives import DELTA, objective
from scaling_cli.fit.optima import PointFit, fit_point
from scaling_cli.fit.problems import Problem

SIZES = {240: 1.0, 2400: 0.1, 24000: 0.032}  # runs, and the share of the draws that is timed
SHARE = 1.0  # of the draws that is timed for other forms: how far they are followed depends on how many there are
STARTS = 16
FORM = "E + A / N**alpha + B / D**beta"
LAWS = (
    "besiroglu-2024", "busbridge-2025", "gadre-2024-c4", "hoffmann-2022", "kaplan-2020", "krajewski-2024-dense",
    "muennighoff-2023", "clark-2022-dense", "clark-2022-hash", "krajewski-2024", "abnar-2025",
)  # fmt: skip
BROKEN = {"a": 1.7, "b": 900.0, "c0": 0.3, "c1": 0.15, "d1": 3e10, "f1": 0.3}  # ours: caballero-2022 has no constants
COMMANDS = (
    [], ["--formula", "E + A / N**alpha"], ["--formula", "E + (A / N**(alpha / beta) + B / D)**beta"],
)  # fmt: skip
MANY = 1_000_000
CURVES = 100  # sizes of many runs
METHODS = (["--draws", "0"], ["--method", "isoflop"], ["--method", "envelope"])
MEGA = 2**20
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes of ru_maxrss
ROOT = Path(__file__).parents[1]
AIM = objective("huber-log")


class Times(NamedTuple):
    """Seconds of the processor and of the clock."""

    processor: float
    clock: float


def main() -> None:
    """Print the four tables."""
    draws = number_of(__doc__, "DRAWS", 4000)
    sizes(draws)
    forms(draws)
    commands()
    many()


def sizes(draws: int) -> None:
    """Print times by the number of runs."""
    heads = ("point fit (ms)", f"{draws} refits (s)", "scipy x16 (ms)", "scipy above ours")
    print("  runs" + "".join(f"{head:>18}" for head in heads))
    for size, share in SIZES.items():
        form, columns, loss = simulated(size)
        point, (problem, fit) = best_time(lambda f=form, c=columns, y=loss: solve(f, c, y), 3)
        refits = refit_time(problem, fit, draws, max(64, int(draws * share)))
        scipy, value = best_time(lambda c=columns, y=loss: scipy_multistart(c, y), 1)
        print(f"{size:6}{shown(point, 1e3)}{shown(refits, 1.0)}{shown(scipy, 1e3)}{value / fit.objective - 1.0:18.1e}")


def forms(draws: int) -> None:
    """Print times by form."""
    print(f"\nform                  coefficients{'point fit (ms)':>18}{f'{draws} refits (s)':>18}{'ratio':>8}")
    first = 0.0
    for name, form, columns, loss in simulated_forms():
        try:
            point, (problem, fit) = best_time(lambda f=form, c=columns, y=loss: solve(f, c, y), 2)
            check_fit(form, fit, columns)
        except NoAnswer as error:
            print(f"{name:22}{len(form.free):12}  {error}")
            continue
        refits = refit_time(problem, fit, draws, max(64, int(draws * SHARE)))
        first = first or refits.processor
        print(f"{name:22}{len(form.free):12}{shown(point, 1e3)}{shown(refits, 1.0)}{refits.processor / first:8.2f}")


def commands() -> None:
    """Print times of whole commands."""
    print("\ncommand (s)")
    for options in COMMANDS:
        at = ["--at", "1e24"] if not options or " D" in options[1] else []
        words = ["fit", str(ROOT / "examples" / "runs.csv"), "--draws", "1000", *at, *options]
        print(f"{shown(command_time(words, 3), 1.0)}  scaling {' '.join(['fit', 'examples/runs.csv', *words[2:]])}")


def many() -> None:
    """Print time and memory of a million runs by each method; of all commands here these take the most memory."""
    print(f"\ncommand on {MANY} points of {CURVES} curves (s)")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.csv"
        heads = {"fmt": ("%.6e", "%.6e", "%.6f"), "header": "params,tokens,loss"}
        np.savetxt(path, simulated_curves(), delimiter=",", comments="", **heads)
        for options in METHODS:
            print(f"{shown(command_time(['fit', str(path), *options], 2), 1.0)}  scaling fit {' '.join(options)}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * PEAK_UNIT / MEGA
    print(f"{peak:15.0f} MB  peak memory")


def command_time(words: list[str], times: int) -> Times:
    """Return the time of a command of ours as a process."""
    command = [sys.executable, "-m", "scaling_cli", *words]
    return best_time(lambda: subprocess.run(command, check=True, capture_output=True, cwd=ROOT), times)[0]


def solve(form: Form, columns: dict[str, np.ndarray], loss: np.ndarray) -> tuple[Problem, PointFit]:
    """Return the point fit."""
    problem = Problem(form.tree, form.free, columns, target=loss, log=True)
    return problem, fit_point(problem, form.tree, AIM, np.ones(loss.size), seed=0)


def refit_time(problem: Problem, fit: PointFit, draws: int, few: int) -> Times:
    """Return the time of so many refits, from that of a few."""
    took, _ = best_time(lambda: bootstrap(problem, AIM, fit, np.ones(problem.size), draws=few, seed=0), 1)
    return Times(took.processor * draws / few, took.clock * draws / few)


def simulated(size: int) -> tuple[Form, dict[str, np.ndarray], np.ndarray]:
    """Return the form, its columns and losses with 1 % of noise."""
    rng = np.random.default_rng(0)
    params, tokens = 10.0 ** rng.uniform(7.5, 10.0, size), 10.0 ** rng.uniform(9.0, 11.5, size)
    loss = (1.82 + 482.0 / params**0.348 + 2085.0 / tokens**0.366) * np.exp(0.01 * rng.standard_normal(size))
    return formula_form(FORM, ["N", "D"], positive=[], target="loss"), {"N": params, "D": tokens}, loss


def simulated_curves() -> np.ndarray:
    """Return params, tokens and losses with 1 % of noise, (runs, 3), from a tenth to a thousand tokens per param."""
    rng = np.random.default_rng(2)
    params = np.repeat(np.geomspace(3e7, 1e10, CURVES), MANY // CURVES)
    tokens = params * 10.0 ** rng.uniform(-1.0, 3.0, MANY)
    loss = (1.82 + 482.0 / params**0.348 + 2085.0 / tokens**0.366) * np.exp(0.01 * rng.standard_normal(MANY))
    return np.column_stack([params, tokens, loss])


def simulated_forms() -> list[tuple[str, Form, dict[str, np.ndarray], np.ndarray]]:
    """Return every form with a name, its columns and losses of 240 runs."""
    form, columns, loss = simulated(240)
    rng = np.random.default_rng(1)
    columns |= {"U": columns["D"] / np.maximum(1.0, 10.0 ** rng.uniform(-0.5, 1.5, 240)),
                "experts": 2.0 ** rng.integers(0, 9, 240), "granularity": 2.0 ** rng.integers(0, 5, 240),
                "sparsity": rng.choice([0.0, 0.5, 0.75, 0.9], 240)}  # fmt: skip
    laws = [(name, preset_form(load_law(name), list(columns))) for name in LAWS]
    broken = settle(preset_form(load_law("caballero-2022"), ["D"]), {}, BROKEN)
    found = [("default", form, {name: columns[name] for name in "ND"}, loss)]
    for name, law_form in [*laws, ("caballero-2022", broken)]:
        used = {column: values for column, values in columns.items() if column in set(names_in(law_form.tree))}
        constants = {c.name: np.float64(c.start) for c in law_form.free}
        curve = compile_tree(law_form.tree)({**used, **constants})
        found.append((name, law_form, used, curve * np.exp(0.01 * rng.standard_normal(240))))
    return found


def best_time(function: Callable[[], Any], times: int) -> tuple[Times, Any]:
    """Return the shortest times of several calls, with those of processes they start, and the last result."""
    best = Times(float("inf"), float("inf"))
    for _ in range(times):
        start, processor = time.perf_counter(), processor_time()
        result = function()
        took = Times(processor_time() - processor, time.perf_counter() - start)
        best = Times(*map(min, best, took))
    return best, result


def processor_time() -> float:
    """Return the seconds of this process and of those it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def shown(times: Times, unit: float) -> str:
    """Return both times in a column."""
    return f"{f'{unit * times.processor:.1f} ({unit * times.clock:.1f})':>18}"


def scipy_multistart(columns: dict[str, np.ndarray], loss: np.ndarray) -> float:
    """Return the best objective of L-BFGS-B from a small grid of starts, as published notebooks do."""
    logs = np.log(columns["N"]), np.log(columns["D"]), np.log(loss)
    grid = [np.array([e, a, al, b, be]) for e in (0.0, 0.5) for a in (5.0, 10.0) for b in (5.0, 10.0)
            for al, be in ((0.3, 0.3), (0.5, 0.5))]  # fmt: skip
    options = {"maxiter": 2000, "maxfun": 10000, "ftol": 1e-15, "gtol": 1e-10}
    with np.errstate(all="ignore"):
        ends = [
            minimize(huber, start, args=logs, jac=True, method="L-BFGS-B", options=options) for start in grid[:STARTS]
        ]
    return min(float(end.fun) for end in ends)


def huber(at: np.ndarray, n: np.ndarray, d: np.ndarray, observed: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the objective and its gradient by E, A, B in logarithms and the exponents."""
    e, a, alpha, b, beta = at
    parts = np.exp(e), np.exp(a - alpha * n), np.exp(b - beta * d)
    total = parts[0] + parts[1] + parts[2]
    residual = np.log(total) - observed
    size = np.abs(residual)
    value = np.where(size <= DELTA, 0.5 * residual**2, DELTA * (size - 0.5 * DELTA)).sum()
    pull = np.clip(residual, -DELTA, DELTA) / total
    slopes = (pull * parts[0], pull * parts[1], -pull * parts[1] * n, pull * parts[2], -pull * parts[2] * d)
    return float(value), np.array([slope.sum() for slope in slopes])


if __name__ == "__main__":
    main()
