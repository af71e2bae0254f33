"""How long a fit takes inside the process, beside a plain scipy multi-start of the same objective.

    python benchmarks/fit_speed.py [DRAWS]

Fits E + A / N**alpha + B / D**beta with Huber 1e-3 on log residuals to 240, 2400 and 24000 simulated runs: the point
fit (best of three), DRAWS refits (default 4000; fewer for the larger sets, and scaled up), and L-BFGS-B from 16 starts
with an exact gradient. The last column says how far scipy's best objective lies above ours.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from scaling_cli.fit.bootstrap import bootstrap
from scaling_cli.fit.forms import Form, formula_form
from scaling_cli.fit.objectives import DELTA, objective
from scaling_cli.fit.optima import fit_point
from scaling_cli.fit.problems import Problem

SIZES = {240: 1.0, 2400: 0.1, 24000: 0.01}  # runs, and the share of the draws that is timed
STARTS = 16
FORM = "E + A / N**alpha + B / D**beta"


def main() -> None:
    """Print the table."""
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    heads = ("point fit (ms)", f"{draws} refits (s)", "scipy x16 (ms)", "scipy above ours")
    print("  runs" + "".join(f"{head:>18}" for head in heads))
    aim = objective("huber-log")
    for size, share in SIZES.items():
        form, columns, loss = simulated(size)
        weights = np.ones(size)

        def solve(form: Form = form, columns: dict = columns, loss: np.ndarray = loss, weights=weights) -> tuple:
            problem = Problem(form.tree, form.free, columns, target=loss, log=True)
            return problem, fit_point(problem, form.tree, aim, weights, seed=0)

        point, (problem, fit) = best_time(solve, 3)
        few = max(64, int(draws * share))
        refits, _ = best_time(lambda p=problem, f=fit, w=weights, n=few: bootstrap(p, aim, f, w, draws=n, seed=0), 1)
        scipy, value = best_time(lambda c=columns, y=loss: scipy_multistart(c, y), 1)
        above = value / fit.objective - 1.0
        print(f"{size:6} {1e3 * point:17.1f} {refits * draws / few:17.2f} {1e3 * scipy:17.1f} {above:17.1e}")


def simulated(size: int) -> tuple[Form, dict[str, np.ndarray], np.ndarray]:
    """Return the form, its columns and losses with 1 % of noise."""
    rng = np.random.default_rng(0)
    params, tokens = 10.0 ** rng.uniform(7.5, 10.0, size), 10.0 ** rng.uniform(9.0, 11.5, size)
    loss = (1.82 + 482.0 / params**0.348 + 2085.0 / tokens**0.366) * np.exp(0.01 * rng.standard_normal(size))
    return formula_form(FORM, ["N", "D"], positive=[], target="loss"), {"N": params, "D": tokens}, loss


def best_time(function: Callable, times: int) -> tuple:
    """Return the shortest time of several calls, in seconds, and the last result."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - start)
    return best, result


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
