"""How long a look-up takes as a whole process, as a multiple of starting Python.

    python benchmarks/startup.py [ROUNDS]

Runs the commands in turn, ROUNDS times each (default 25), on an otherwise idle machine, with the Python that runs this
script, and prints medians. The floor is `python -I -c pass`; Typer alone with a few options is about 6 of it.
"""

import compileall
import os
import statistics
import subprocess
import sys
import time

from usage import number_of

import scaling_cli

FLOOR = "python -I -c pass"
QUESTIONS = (
    "plan --flops 1e22 --format json",
    "plan --flops 1e22",
    "loss --params 70B --tokens 1.4T --format json",
    "plan --flops 1e22 --law all --format json",
    "plan --gpu h100 --gpus 1024 --max days=30 --unique-tokens 500B --inference-tokens 5T --format json",
    "laws",
    "check -",
)
BUDGET = b"runs: {a: {params: 7B, tokens: 140B}}\npolicy: {each: {deny: {max: {flops: 1e22}}}}\n"  # a file with one run
COMMANDS = {
    FLOOR: [sys.executable, "-I", "-c", "pass"],
    **{f"scaling {text}": [sys.executable, "-m", "scaling_cli", *text.split()] for text in QUESTIONS},
}
TARGETS = {
    "scaling plan --flops 1e22 --format json": 9.0,
    "scaling plan --flops 1e22": 16.0,
    f"scaling {QUESTIONS[4]}": 12.0,
    "scaling check -": 11.0,
}


def measure(rounds: int) -> dict[str, list[float]]:
    """Return wall seconds of each command, interleaved."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, input=BUDGET, stdout=subprocess.DEVNULL, check=True, cwd=os.path.expanduser("~"))
            seconds[name].append(time.perf_counter() - start)
    return seconds


def main() -> None:
    """Print the table."""
    rounds = number_of(__doc__, "ROUNDS", 25)
    compileall.compile_dir(os.path.dirname(scaling_cli.__file__), quiet=2)
    seconds = measure(rounds)
    floor = statistics.median(seconds[FLOOR])
    print(f"{'command':50} {'median (ms)':>12} {'ratio':>7} {'at most':>8}")
    for name, times in seconds.items():
        median = statistics.median(times)
        target = f"{TARGETS[name]:.0f}" if name in TARGETS else ""
        print(f"{name:50} {1e3 * median:12.1f} {median / floor:7.2f} {target:>8}")


if __name__ == "__main__":
    main()
