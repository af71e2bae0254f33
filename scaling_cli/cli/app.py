"""Joins the commands, each loaded when it is asked for; `main` is the single boundary for errors."""

import gc
import importlib
import sys
from difflib import get_close_matches
from typing import Annotated, Any

import typer
import typer.core

from scaling_cli.cli.interruptions import leave
from scaling_cli.cli.streams import guarded_streams
from scaling_cli.errors import InputError, ScalingError

HELP = """Plan training compute with neural scaling laws.

\b
Example: scaling plan --flops 1e22
"""
COMMANDS = (
    "plan",
    "loss",
    "compare",
    "diagnose",
    "laws",
    "fit",
    "check",
    "diff",
    "models",
    "hardware",
    "count",
    "shape",
)


class Commands(typer.core.TyperGroup):
    """The commands by name; a command's module is imported when the command is used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command.

        Raises: InputError for an unknown one, with the nearest.
        """
        if cmd_name not in COMMANDS:
            if ctx.resilient_parsing:  # completing a line must not print
                return None
            close = get_close_matches(cmd_name, COMMANDS, n=1)
            hints = [f"Did you mean {close[0]}?"] if close else []
            raise InputError(f"no command named {cmd_name[:40]!r}", *hints, f"the commands: {', '.join(COMMANDS)}")
        module = importlib.import_module(f"scaling_cli.cli.{cmd_name}")
        if hasattr(module, "app"):
            command = typer.main.get_command(module.app)
        else:
            single = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
            single.command(cmd_name, help=module.HELP)(getattr(module, cmd_name))
            command = typer.main.get_command(single)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an interruption is told in a pipe, and ends with the shell's own code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            leave()


app = typer.Typer(cls=Commands, rich_markup_mode=None, pretty_exceptions_enable=False, help=HELP, no_args_is_help=True)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("scaling-cli"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that stand before the command."""


def main() -> None:
    """Run `scaling`; print a ScalingError and exit with its code."""
    try:
        with guarded_streams():
            _run()
    except ScalingError as error:  # stdout itself failed
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _run() -> None:
    gc.disable()  # a command makes hardly any garbage that needs looking for, and may hold millions of numbers
    try:
        app(prog_name="scaling")
    except ScalingError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    finally:
        gc.enable()
        gc.freeze()  # the process ends: nothing is looked through for garbage on the way out
