"""The simulated runs that ship are those that their script makes."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_script_makes_the_runs_that_ship() -> None:
    script = [sys.executable, str(EXAMPLES / "simulate_runs.py")]
    made = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert made == (EXAMPLES / "runs.csv").read_text(encoding="utf-8")
    assert len(made.splitlines()) == 37
