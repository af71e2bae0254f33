"""The command while it loads: an interruption then ends as one does later."""

import subprocess
import sys

import pytest

INTERRUPTED = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder())
sys.argv = ["scaling", "plan", "--flops", "1e22"]
from scaling_cli.__main__ import main
main()
"""


@pytest.mark.parametrize("name", ["scaling_cli.cli.app", "typer", "scaling_cli.cli.plan"])
def test_an_interruption_while_modules_load(name: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED.format(name=name)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "interrupted\n")
