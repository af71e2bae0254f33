"""What each answer imports: a look-up must not wait for numpy, nor a table in a pipe for colours."""

import subprocess
import sys

import pytest

from scaling_cli.cli.app import COMMANDS

HEAVY = {"numpy", "scipy", "rich", "matplotlib", "pydantic", "yaml"}
RICH = {"rich.style", "rich.text", "rich.table", "rich.console"}  # the slow parts of rich
RUN = """
import sys
from scaling_cli.cli.app import main
sys.argv[0] = "scaling"
try:
    main()
except SystemExit as end:
    print(end.code, *sys.modules, file=sys.stderr)
"""
BY_ID = ("plan", "--flops", "1e22", "--law", "besiroglu-2024")


def imported(*argv: str) -> set[str]:
    """Return the packages that a successful command has imported when it ends."""
    command = [sys.executable, "-c", RUN, *argv]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
    code, *modules = done.stderr.split()
    assert code == "0", done.stderr
    assert "scaling_cli.cli.app" in modules
    return {name.partition(".")[0] for name in modules} | {name for name in modules if name in RICH}


@pytest.mark.parametrize("fmt", ["json", "csv", "markdown"])
@pytest.mark.parametrize("law", ["chinchilla", "besiroglu-2024"])
def test_a_look_up_needs_nothing_heavy_but_yaml(law: str, fmt: str) -> None:
    assert imported("plan", "--flops", "1e22", "--law", law, "--format", fmt) & HEAVY <= {"yaml"}


def test_the_default_question_needs_nothing_heavy_but_yaml() -> None:
    assert imported("plan", "--flops", "1e22", "--format", "json") & HEAVY <= {"yaml"}


def test_a_plan_under_every_demand_needs_nothing_heavy() -> None:
    demands = "--gpu h100 --gpus 1024 --max days=30 --unique-tokens 500B --inference-tokens 5T"
    assert not imported("plan", *demands.split(), "--format", "json") & HEAVY


@pytest.mark.parametrize(
    "argv",
    [
        BY_ID,
        ("loss", "--params", "7B", "--tokens", "1T", "--law", "besiroglu-2024"),
        ("compare", "--flops", "1e21", "--law", "openai", "--law", "chinchilla"),
        ("laws",),
        ("laws", "show", "chinchilla"),
        ("laws", "check", "chinchilla"),
    ],
    ids=" ".join,
)
def test_a_table_in_a_pipe_adds_the_widths_of_characters_alone(argv: tuple[str, ...]) -> None:
    assert imported(*argv) & (HEAVY | RICH) - {"yaml"} == {"rich"}


@pytest.mark.parametrize("argv", [("--help",), ("plan", "--help"), ("--version",)], ids=" ".join)
def test_help_needs_nothing_heavy(argv: tuple[str, ...]) -> None:
    assert not imported(*argv) & HEAVY


def test_a_command_loads_no_other_command() -> None:
    command = [sys.executable, "-c", RUN, *BY_ID, "-f", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    modules = {name.rpartition(".")[2] for name in done.stderr.split() if name.startswith("scaling_cli.cli.")}
    assert modules & set(COMMANDS) == {"plan"}


def test_the_library_face_is_light() -> None:
    code = "import sys, scaling_cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=10, check=True)
    assert not {name.partition(".")[0] for name in done.stdout.split()} & (HEAVY - {"yaml"})
