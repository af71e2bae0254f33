"""How long `scaling fit` takes to read a million rows of training curves, and how much memory.

    python benchmarks/reading.py [ROWS]

Writes curves (run, step, params, tokens, loss) in each format to a temporary folder, once with plain numbers and once
with sizes as people write them (124M, 2.6B). Each is read by `read_runs` in a process of its own: its time on the
processor and its peak memory, the better of two. The last lines read under --where and with repeated rows.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from usage import number_of

ROWS = 1_000_000
STEPS = 1000  # rows of a run
SIZES = {"124M": 124_000_000, "355M": 355_000_000, "1.3B": 1_300_000_000, "2.6B": 2_600_000_000}
HEADER = ("run", "step", "params", "tokens", "loss")
MEGA = 2**20
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes of ru_maxrss
TIMES = 2


def main() -> None:
    """Print the table."""
    count = number_of(__doc__, "ROWS", ROWS)
    print(f"{'format':<28}{'rows':>10}{'MB':>7}{'seconds':>10}{'peak MB':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name, options in CASES.items():
            path = Path(folder) / ("runs.jsonl" if name.startswith("JSON") else "runs.csv")
            write(path, count, human="units" in name, repeated="repeated" in name)
            seconds, peak = zip(*(measure(path, options) for _ in range(TIMES)), strict=True)
            print(f"{name:<28}{count:>10}{path.stat().st_size / MEGA:>7.0f}{min(seconds):>10.2f}{min(peak):>10.0f}")


CASES: dict[str, dict[str, object]] = {
    "CSV": {},
    "CSV, units": {},
    "JSON Lines": {},
    "JSON Lines, units": {},
    "CSV, --where and a group": {"where": "step > 100 and run != 'run-3'", "group": "run"},
    "CSV, a tenth repeated": {},
}


def write(path: Path, count: int, *, human: bool, repeated: bool) -> None:
    """Write a table of `count` rows, a line at a time."""
    with path.open("w", encoding="utf-8") as file:
        is_json = path.suffix == ".jsonl"
        if not is_json:
            file.write(",".join(HEADER) + "\n")
        for row in rows(count, human=human, repeated=repeated):
            file.write(json.dumps(dict(zip(HEADER, row, strict=True))) if is_json else ",".join(map(str, row)))
            file.write("\n")


def rows(count: int, *, human: bool, repeated: bool) -> Iterator[tuple[object, ...]]:
    """Yield rows of curves; each step sees half a million tokens more."""
    sizes = list(SIZES.items())
    for i in range(count):
        i -= repeated and i % 10 == 9
        run, step = divmod(i, STEPS)
        text, params = sizes[run % len(sizes)]
        tokens = (step + 1) * 2**19
        loss = 1.82 + 482.0 / params**0.348 + 2085.0 / tokens**0.366 + 1e-9 * i
        yield f"run-{run}", step, text if human else params, f"{tokens / 1e9:.9g}B" if human else tokens, loss


def measure(path: Path, options: dict[str, object]) -> tuple[float, float]:
    """Return the seconds and the peak megabytes of reading a table in a process of its own."""
    command = [sys.executable, __file__, "--read", str(path), json.dumps(options)]
    seconds, peak = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return seconds, peak


def read(path: str, options: dict[str, str]) -> None:
    """Print how long this process takes to read a table, and its peak memory."""
    from scaling_cli.files.runs import read_runs

    start = time.process_time()
    read_runs(path, **options)
    seconds = time.process_time() - start
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * PEAK_UNIT / MEGA]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        read(sys.argv[2], json.loads(sys.argv[3]))
    else:
        main()
