"""Plans per second through the array interface.

    python benchmarks/arrays.py [BUDGETS]

Plans BUDGETS (default 1e6) log-spaced budgets from 1e18 to 1e26 FLOPs at once, three times, and prints the best time,
with the largest difference in log N from single plans of 200 of them.
"""

import math
import sys
import time

import numpy as np

import scaling_cli

CASES = {
    "hoffmann-2022": ({}, "states its split", 0.2),
    "hoffmann-2022-approach-3": ({}, "closed form", 0.2),
    "kaplan-2020": ({}, "states its split", 0.2),
    "besiroglu-2024": ({}, "closed form", 0.2),
    "muennighoff-2023": ({"U": 1e11}, "search, 1e11 unique tokens", 2.0),
}


def main() -> None:
    """Print the table."""
    count = int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000
    flops = np.logspace(18, 26, count)
    chosen = np.random.default_rng(0).integers(0, count, 200)
    print(f"{count} budgets")
    print(f"{'law':26} {'how':28} {'best (s)':>9} {'at most (s)':>12} {'plans per s':>12} {'error in log N':>15}")
    for name, (settings, how, target) in CASES.items():
        law = scaling_cli.load_law(name)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            plans = scaling_cli.plan(law, flops=flops, settings=settings)
            times.append(time.perf_counter() - start)
        single = [scaling_cli.plan(law, flops=float(flops[i]), settings=settings).params for i in chosen]
        error = max(abs(math.log(params / plans.params[i])) for params, i in zip(single, chosen, strict=True))
        best = min(times)
        print(f"{name:26} {how:28} {best:9.3f} {target:12.1f} {count / best:12.3g} {error:15.1e}")


if __name__ == "__main__":
    main()
