"""`scaling diagnose`."""

from typing import TYPE_CHECKING, Annotated

import typer

from scaling_cli.cli import options
from scaling_cli.cli.models import complete_models
from scaling_cli.cli.output import check_format, refuse_outside, show
from scaling_cli.cli.progress import Progress
from scaling_cli.core.quantities import parse_quantity
from scaling_cli.errors import InputError

if TYPE_CHECKING:
    from scaling_cli.core.diagnosis import Subject

HELP = """Say whether a model is too large or too small for its compute, what that wastes, and what would repair it.

Name a known model, or give --params (or --config) and --tokens.

\b
Example: scaling diagnose --model gpt-3
"""
Model = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="NAME", autocompletion=complete_models, help="A known model, or its YAML file: gpt-3."
    ),
]


def diagnose(
    params: options.Params = None,
    tokens: options.Tokens = None,
    model: Model = None,
    config: options.Config = None,
    law: options.Laws = [options.DEFAULT_LAW],  # noqa: B006  Typer copies it
    set_: options.Set = [],  # noqa: B006
    strict: options.Strict = False,
    format_: options.Format = "table",
) -> None:
    """Diagnose one model by one or several laws."""
    from scaling_cli.core.diagnosis import diagnose_laws
    from scaling_cli.report.diagnosis import diagnosis_report

    check_format(format_)
    subject = _subject(tokens, {"--params": params, "--model": model, "--config": config})
    laws = options.laws(law)
    with Progress("diagnosing"):
        diagnoses = diagnose_laws(laws, subject, options.settings(set_))
    if strict:
        refuse_outside([each.plan for each in diagnoses])
    show(diagnosis_report(diagnoses, laws, subject), format_)


def _subject(tokens: str | None, texts: dict[str, str | None]) -> "Subject":
    """Return the model that one of --params, --model and --config tells."""
    from scaling_cli.core.diagnosis import Subject, known_subject

    given = {option: text for option, text in texts.items() if text is not None}
    if len(given) > 1:
        from scaling_cli.core.notes import listed

        number = "both" if len(given) == 2 else "all"
        raise InputError(f"{listed(given)} are {number} given", "each says how many params: give one of them")
    if not given:
        raise InputError("no model is given", "such as --model gpt-3, or --params 175B --tokens 300B")
    ((option, text),) = given.items()
    seen = None if tokens is None else parse_quantity(tokens, "tokens", "--tokens")
    if option == "--model":
        from scaling_cli.files.models import load_model

        return known_subject(load_model(text), seen)
    if seen is None:
        raise InputError(f"{option} {text[:40]!r} is given without --tokens", "such as --params 175B --tokens 300B")
    return Subject("", parse_quantity(text, "params", option), seen) if option == "--params" else _counted(text, seen)


def _counted(path: str, tokens: float) -> "Subject":
    from scaling_cli.core.architectures import count
    from scaling_cli.core.diagnosis import counted_subject
    from scaling_cli.files.configs import read_config

    config = read_config(path)
    return counted_subject(path, count(config.shape), tokens, config.notes)
