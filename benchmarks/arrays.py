"""Plans per second through the array interface.

    python benchmarks/arrays.py [BUDGETS]

Plans BUDGETS (default 1e6) log-spaced budgets from 1e18 to 1e26 FLOPs at once, three times, and prints the best time,
with the largest difference in log N from single plans of 200 of them. Then a tenth as many plans under random demands,
each its own, in processor time.
"""

import math
import time
from typing import Any

import numpy as np
from usage import number_of

import scaling_cli

CASES = {
    "hoffmann-2022": ({}, "states its split", 0.2),
    "hoffmann-2022-approach-3": ({}, "closed form", 0.2),
    "kaplan-2020": ({}, "states its split", 0.2),
    "besiroglu-2024": ({}, "closed form", 0.2),
    "muennighoff-2023": ({"U": 1e11}, "search, 1e11 unique tokens", 2.0),
}


MACHINE = {"gpu": "h100", "gpus": 512, "mfu": 0.4, "price": 2.5}


def demands(count: int) -> dict[str, dict[str, Any]]:
    """Return questions under demands: each limit an array of random values."""
    random = np.random.default_rng(0)
    between = lambda low, high: 10.0 ** random.uniform(low, high, count)  # noqa: E731
    days, params = between(0.0, 2.5), between(9.0, 13.0)
    return {
        "four limits": {
            **MACHINE, "most": {"days": days, "params": params, "dollars": between(5.0, 9.0)},
            "least": {"tokens_per_param": between(0.0, 2.0)},
        },
        "unique tokens": {"flops": between(19.0, 25.0), "unique_tokens": between(9.0, 13.0)},
        "inference tokens": {"flops": between(19.0, 25.0), "inference_tokens": between(9.0, 14.0)},
        "all of these": {
            **MACHINE, "most": {"days": days, "params": params}, "unique_tokens": between(10.0, 13.0),
            "inference_tokens": between(9.0, 14.0),
        },
    }  # fmt: skip


def constrained(count: int) -> None:
    """Print the table of plans under demands."""
    print(f"\n{count} plans under demands")
    print(f"{'law':26} {'demands':28} {'CPU (s)':>9} {'at most (s)':>12} {'plans per s':>12}")
    for name in ("hoffmann-2022", "muennighoff-2023"):
        law = scaling_cli.load_law(name)
        for what, asked in demands(count).items():
            start = time.process_time()
            scaling_cli.plan(law, **asked)
            seconds = time.process_time() - start
            print(f"{name:26} {what:28} {seconds:9.3f} {5.0 * count / 1e5:12.1f} {count / seconds:12.3g}")


def main() -> None:
    """Print the table."""
    count = number_of(__doc__, "BUDGETS", 1_000_000)
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
    constrained(max(1, count // 10))


if __name__ == "__main__":
    main()
