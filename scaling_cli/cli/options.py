"""The options that several commands share, each defined once. Values arrive as text and are parsed by quantities."""

from typing import Annotated

import typer

from scaling_cli.core.laws import Law
from scaling_cli.core.quantities import parse_quantity
from scaling_cli.errors import InputError

DEFAULT_LAW = "chinchilla"
EXAMPLES = {
    "--max": "params=8B", "--min": "params=8B", "--set": "U=1e11",
    "--columns": "params=1e9*size", "--fix": "alpha=0.35", "--start": "alpha=0.35",
}  # fmt: skip
GIVEN = "COMMANDLINE"  # click's name for a parameter that stands on the command line


def complete_laws(incomplete: str) -> list[str]:
    """Return the law names that begin so."""
    from scaling_cli.files.catalogue import law_names

    return [name for name in ("all", *law_names()) if name.startswith(incomplete)]


def complete_formats(incomplete: str) -> list[str]:
    """Return the formats that begin so."""
    from scaling_cli.report.render import FORMATS

    return [name for name in FORMATS if name.startswith(incomplete)]


Flops = Annotated[str | None, typer.Option("--flops", metavar="C", help="Training compute: 1e22, '3640 PF-days'.")]
Params = Annotated[str | None, typer.Option("--params", metavar="N", help="Parameters, as the law counts them: 70B.")]
Tokens = Annotated[str | None, typer.Option("--tokens", metavar="D", help="Training tokens, repeats included: 1.4T.")]
Loss = Annotated[str | None, typer.Option("--loss", metavar="L", help="Target loss, in the law's unit: 1.94.")]
Laws = Annotated[
    list[str],
    typer.Option(
        "--law", "-l", metavar="LAW", autocompletion=complete_laws, help="Id, alias or YAML file; repeatable; 'all'."
    ),
]
Config = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="Count N from a config.json of Hugging Face.")
]
Set = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="NAME=VALUE", help="A variable of the law, such as U=1e11 (unique tokens); repeatable."
    ),
]
Format = Annotated[
    str,
    typer.Option(
        "--format", "-f", metavar="FORMAT", autocompletion=complete_formats, help="table, json, csv or markdown."
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 3 when an answer lies outside the experimented range.")]


def known_quantities(**texts: str | None) -> dict[str, float]:
    """Return the given ones of flops, params, tokens and loss as numbers."""
    return {name: parse_quantity(text, name, f"--{name}") for name, text in texts.items() if text is not None}


def pairs(option: str, texts: list[str]) -> dict[str, str]:
    """Return repeated NAME=TEXT options as texts by name."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise InputError(f"{option} is {text[:40]!r}", f"expected NAME=VALUE, such as {option} {EXAMPLES[option]}")
        if name in found:
            raise InputError(f"{option} gives {name} twice", "give each name once")
        found[name] = value.strip()
    return found


def settings(texts: list[str], option: str = "--set") -> dict[str, float]:
    """Return repeated NAME=NUMBER options as numbers by name."""
    return {name: parse_quantity(text, "number", f"{option} {name}") for name, text in pairs(option, texts).items()}


def whole(text: str, option: str, *, most: int) -> int:
    """Return an option's whole number from 0 to most, in digits or as people write it: 1000, 1e3, 1k."""
    refused = InputError(f"{option} is {text[:40]!r}", f"expected a whole number from 0 to {most}")
    digits = text.isascii() and text.isdigit() and len(text) < 20
    try:
        number = int(text) if digits else parse_quantity(text, "number", option)
    except InputError:
        raise refused from None
    if number != int(number) or not 0 <= number <= most:
        raise refused
    return int(number)


def refuse_beside(context: typer.Context, option: str, *, allowed: tuple[str, ...]) -> None:
    """Raise InputError when options are given beside one that they have no say in.

    Args:
        context: of the command.
        option: the one.
        allowed: the parameters of the command that may stand beside it.
    """
    given = [
        max(param.opts, key=len)
        for param in context.command.params
        if param.name not in allowed and getattr(context.get_parameter_source(param.name or ""), "name", "") == GIVEN
    ]
    if given:
        from scaling_cli.core.notes import listed

        hint = "leave it out" if len(given) == 1 else "leave them out"
        raise InputError(f"{listed(given)} cannot be given with {option}", hint)


def laws(names: list[str]) -> list[Law]:
    """Return the laws by name, each once; 'all' stands for every shipped law.

    Raises: InputError when two different laws carry one id.
    """
    from scaling_cli.files.catalogue import is_file, load_all, load_law

    found: dict[str, tuple[str, Law]] = {}
    for name in dict.fromkeys(names):
        for law in load_all() if name == "all" else [load_law(name)]:
            origin = name if is_file(name) else "shipped"
            if found.setdefault(law.id, (origin, law))[0] != origin:
                raise InputError(
                    f"two laws are named {law.id}: {origin} and {found[law.id][0]}", "give the file's law another id"
                )
    return [law for _, law in found.values()]
