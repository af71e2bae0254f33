"""`scaling models`."""

from typing import Annotated

import typer

from scaling_cli.cli import options
from scaling_cli.cli.limits import Max, Min, Sort, choose
from scaling_cli.cli.output import check_format, show
from scaling_cli.errors import InputError

HELP = """List known models, or tell one: params, tokens, compute, and a law's own split of that compute.

Limits and order take the keys of the JSON, such as params, tokens_per_param or params_ratio.

\b
Example: scaling models --org Meta --min params=10B --sort tokens_per_param
"""


def complete_models(incomplete: str) -> list[str]:
    """Return the models whose names begin so."""
    from scaling_cli.files.models import MODELS

    return [name for name in MODELS.names() if name.startswith(incomplete)]


Name = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]", autocompletion=complete_models, help="Id, name, alias or YAML file; all when absent."
    ),
]
Org = Annotated[str | None, typer.Option("--org", metavar="ORG", help="Of one organisation.")]
Kind = Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Of one kind: dense, moe, enc-dec, ...")]


def models(
    name: Name = None,
    org: Org = None,
    kind: Kind = None,
    law: options.Laws = [options.DEFAULT_LAW],  # noqa: B006  Typer copies it
    set_: options.Set = [],  # noqa: B006
    min_: Min = [],  # noqa: B006
    max_: Max = [],  # noqa: B006
    sort: Sort = None,
    format_: options.Format = "table",
) -> None:
    """List known models beside a law."""
    from scaling_cli.core.models import place_models
    from scaling_cli.files.models import load_model, load_models
    from scaling_cli.report.models import models_report

    check_format(format_)
    laws = options.laws(law)
    if len(laws) != 1:
        raise InputError(f"--law names {len(laws)} laws", "models are placed beside one law, such as --law chinchilla")
    found = [load_model(name)] if name is not None else load_models()
    placements = place_models(found, laws[0], options.settings(set_))
    rows = [placement.row() for placement in placements]
    chosen = choose(rows, least=min_, most=max_, sort=sort, words={"org": org, "kind": kind})
    show(models_report(chosen, placements, laws[0]), format_)
