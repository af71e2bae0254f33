"""Makes runs.csv: 36 simulated training runs on an isoFLOP-like grid, the same on every machine.

    python examples/simulate_runs.py > examples/runs.csv

Nine model sizes at each of four budgets. Losses follow Besiroglu et al. 2024 (arXiv:2404.10102, table 1), with the
constants rounded, and 0.5 % of log-normal noise.
"""

import math
import random
from collections.abc import Iterator

BUDGETS = (1e18, 1e19, 1e20, 1e21)  # training FLOPs
SIZES = 9  # models at each budget
SMALLEST = 3e7  # params at the smallest budget
SPAN = 16.0  # from the smallest to the largest model of one budget
GROWTH = math.log10(1e10 / SMALLEST / SPAN) / 3.0  # exponent that ends at 1e10 params at the largest budget
NOISE = 0.005  # standard deviation of log loss
SEED = 2404


def main() -> None:
    """Print the table."""
    print("name,params,tokens,loss")
    for line in simulate_runs():
        print(line)


def simulate_runs() -> Iterator[str]:
    """Yield the lines of the table; rounded, so that no machine's last digit shows."""
    noise = random.Random(SEED)
    for row, budget in enumerate(BUDGETS):
        smallest = SMALLEST * (budget / BUDGETS[0]) ** GROWTH
        for size in range(SIZES):
            params = float(f"{smallest * SPAN ** (size / (SIZES - 1)):.3g}")
            tokens = float(f"{budget / (6.0 * params):.4g}")
            loss = true_loss(params, tokens) * math.exp(noise.gauss(0.0, NOISE))
            yield f"run-{row * SIZES + size + 1:02},{params:.3g},{tokens:.4g},{loss:.4f}"


def true_loss(params: float, tokens: float) -> float:
    """Return the loss without noise, nats per token."""
    return 1.82 + 482.0 / params**0.348 + 2085.0 / tokens**0.366


if __name__ == "__main__":
    main()
