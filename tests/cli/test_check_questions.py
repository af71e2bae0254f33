"""What `scaling check` asks on the command line: nothing given is passed over, and hints are options."""

import sys
from collections.abc import Callable

import pytest

from scaling_cli.cli.app import main

Ask = Callable[..., tuple[int, str, str]]
RUN = ("--params", "7B", "--tokens", "1T")
MACHINE = ("--gpu", "h100", "--price", "2.5")


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    def run(*argv: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["scaling", "check", *argv])
        with pytest.raises(SystemExit) as caught:
            main()
        return (int(caught.value.code or 0), *capsys.readouterr())

    return run


REFUSED = {
    (*RUN, "--max", "memory=10GB", "--max", "memory_bytes=100GB"): "--max memory_bytes limits the same as --max memory",
    (*RUN, "--max", "memory_bytes=100GB", "--max", "memory=10GB"): "--max memory limits the same as --max memory_bytes",
    (*RUN, "--min", "energy=1", "--min", "energy_mwh=2"): "--min energy_mwh limits the same as --min energy",
    (*RUN, "--max", "params=1B", "--max", "params=9B"): "--max gives params twice",
    ("--config", "mix.json", "--params", "7B", "--max", "params=10B"): "--config and --params are both given",
    (*RUN, "--law", "all", "--max", "params=1B"): "a check plans its run by one law",
    (*RUN, "-l", "chinchilla", "-l", "openai", "--max", "params=9B"): "no limit compares the laws",
    (*RUN, "-l", "chinchilla", "-l", "chinchilla", "--max", "disagreement=9"): "are one law",
    (*RUN, "-l", "chinchilla", "-l", "hoffmann-2022", "--max", "disagreement=9"): "are one law",
    (*RUN, "--law", "nosuch", "--max", "params=9B"): "no law has the preset name 'nosuch'",
    ("--gpu", "h100", "--gpus", "512", "--max", "days=30"): 'say what the run takes: --flops "512xH100 for 30d"',
    ("--max", "days=30"): "--flops 1e22 --max dollars=1M",
    (*RUN,): "no limit is given",
    (*RUN, "--max", "disagreement=3"): "--law chinchilla --law openai",
    (*RUN, "--max", "dollars=1M"): "give --gpu h100",
    (*RUN, "--gpu", "h100", "--max", "dollars=1M"): "--price 2.50",
    (*RUN, *MACHINE, "--max", "days=9"): "--gpus 512",
    (*RUN, "--max", "lifetime_flops=1e25"): "give --inference-tokens 2T",
    (*RUN, "--max", "flops"): "such as --max params=8B",
    (*RUN, "--set", "U", "--max", "flops=1e22"): "such as --set U=1e11",
    (*RUN, "--flops", "1e22", "--max", "flops=1e22"): "--flops, --params, --tokens are 3 knowns",
}


@pytest.mark.parametrize("argv", REFUSED, ids=" ".join)
def test_a_question_that_is_wrong(ask: Ask, argv: tuple[str, ...]) -> None:
    code, out, err = ask(*argv)
    assert (code, out) == (2, "")
    assert REFUSED[argv] in err
    assert "laws: [" not in err


def test_the_machine_and_time_of_the_hint_are_a_run(ask: Ask) -> None:
    code, out, _ = ask("--flops", "512xH100 for 30d", "--max", "days=31", "--fail-on", "never")
    assert code == 0
    assert "passed" in out


def test_the_help_says_what_several_laws_do(ask: Ask) -> None:
    _, out, _ = ask("--help")
    said = " ".join(out.split())
    assert "'all'" not in said
    assert "plans the run" in said


def test_one_run_needs_no_name_in_its_notes(ask: Ask) -> None:
    _, out, _ = ask(*RUN, *MACHINE, "--max", "dollars=1M")
    assert "note: hoffmann-2022: " in out
    assert "note: run: " not in out
