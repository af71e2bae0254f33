"""`scaling check`."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from scaling_cli.cli import machine_options as machines
from scaling_cli.cli import options
from scaling_cli.cli.checked_output import Format, check_format, finish
from scaling_cli.core.findings import DENY, Checked
from scaling_cli.errors import InputError

if TYPE_CHECKING:
    from scaling_cli.core.policies import Policy
    from scaling_cli.core.sheets import Spec
    from scaling_cli.report.report import Report

HELP = """Check a training budget against its limits: exit 1 and findings where it breaks one.

FILE holds named runs and a policy (`--schema` prints its JSON Schema); '-' is stdin. Without a file, one run and its
limits are options: the run by --flops, --params, --tokens, --loss or --config, what it must keep by --max and --min.

\b
Example: scaling check --flops 1e23 --params 70B --gpu h100 --price 2.5 --max dollars=1M
"""
File = Annotated[str | None, typer.Argument(metavar="FILE", help="The budget, such as scaling.yaml.")]
Baseline = Annotated[
    str | None,
    typer.Option("--baseline", metavar="BASE", help="Budget or saved JSON that max_increase compares with; 'none'."),
]
FailOn = Annotated[
    str, typer.Option("--fail-on", metavar="LEVEL", help="Exit 1 from this level on: deny, warn or never.")
]
Schema = Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of a budget file.")]
Config = Annotated[
    str | None, typer.Option("--config", metavar="JSON", help="The model's config.json, for its params.")
]


def complete_law(incomplete: str) -> list[str]:
    """Return the laws whose names begin so; not `all`, which plans no single run."""
    return [name for name in options.complete_laws(incomplete) if name != ALL]


Laws = Annotated[
    list[str],
    typer.Option(
        "--law",
        "-l",
        metavar="LAW",
        autocompletion=complete_law,
        help="Id, alias or YAML file: the first plans the run, more are held to --max disagreement=3.",
    ),
]
ALL = "all"
BESIDE_FILE = ("file", "baseline", "fail_on", "format_")


def check(
    context: typer.Context,
    file: File = None,
    flops: options.Flops = None,
    params: options.Params = None,
    tokens: options.Tokens = None,
    loss: options.Loss = None,
    config: Config = None,
    law: Laws = [options.DEFAULT_LAW],  # noqa: B006  Typer copies it
    set_: options.Set = [],  # noqa: B006
    most: machines.Max = [],  # noqa: B006
    least: machines.Min = [],  # noqa: B006
    gpu: machines.Gpu = None,
    gpus: machines.Gpus = None,
    price: machines.Price = None,
    mfu: machines.Mfu = None,
    mfu_from: machines.MfuFrom = None,
    precision: machines.Precision = None,
    unique_tokens: machines.UniqueTokens = None,
    inference_tokens: machines.InferenceTokens = None,
    serve_precision: machines.ServePrecision = None,
    inference_mfu: machines.InferenceMfu = None,
    inference_price: machines.InferencePrice = None,
    baseline: Baseline = None,
    fail_on: FailOn = DENY,
    schema: Schema = False,
    format_: Format = "table",
) -> None:
    """Check a file, or one run."""
    from scaling_cli.checks import check_file, check_run

    check_format(format_)
    if schema:
        _print_schema(context)
        return
    if file is not None:
        options.refuse_beside(context, "FILE", allowed=BESIDE_FILE)
        checked = check_file(file, baseline=baseline, fail_on=fail_on)
    else:
        if baseline is not None:
            raise InputError("--baseline is given without a budget file", "name the file: scaling check scaling.yaml")
        run = machines.budget(
            gpu=gpu, gpus=gpus, price=price, mfu=mfu, mfu_from=mfu_from, precision=precision,
            unique_tokens=unique_tokens, inference_tokens=inference_tokens, serve_precision=serve_precision,
            inference_mfu=inference_mfu, inference_price=inference_price, flops=flops, params=params, tokens=tokens,
            loss=loss, config=config, law=law[0],
        )  # fmt: skip
        limits = {"max": options.pairs("--max", most), "min": options.pairs("--min", least)}
        spec, policy = _question(run, options.settings(set_), limits, law)
        checked = check_run(spec, policy, fail_on=fail_on)
    finish(format_, lambda: _report(checked), lambda: _face(checked, format_), passed=checked.passed)


def _question(
    run: Mapping[str, object], settings: dict[str, float], limits: dict[str, dict[str, str]], laws: list[str]
) -> "tuple[Spec, Policy]":
    """Return one run and its policy from texts; several laws are compared with each other."""
    from scaling_cli.core.policies import Policy, Rule, find_quantity, parse_limit
    from scaling_cli.files.budget_files import read_options, spec_of

    rules: dict[str, Rule] = {}
    said: dict[str, str] = {}
    for form, given in limits.items():
        for name, text in given.items():
            where = f"--{form} {name}"
            quantity = find_quantity(name, form, where=where)
            rule = Rule(DENY, form, quantity.name, parse_limit(text, quantity, form=form, name=where))
            if rule.name in rules:
                raise InputError(f"{where} limits the same as {said[rule.name]}", "keep one of them")
            rules[rule.name], said[rule.name] = rule, where
    _check_laws(laws, has_limit="max disagreement" in rules or "min disagreement" in rules)
    values = read_options({key: str(value) for key, value in run.items()})
    return spec_of("run", {**values, "set": settings}), Policy(
        tuple(rules.values()), laws=tuple(laws) if len(laws) > 1 else ()
    )


def _check_laws(laws: list[str], *, has_limit: bool) -> None:
    """Raise InputError for laws that would be passed over."""
    if ALL in laws:
        hint = "name it: --law chinchilla; `scaling plan --law all` asks every law"
        raise InputError("--law is all, and a check plans its run by one law", hint)
    if len(laws) > 1 and not has_limit:
        hint = "give one, or a limit on how far they may disagree: --max disagreement=3"
        raise InputError(f"--law is given {len(laws)} times, and no limit compares the laws", hint)


def _print_schema(context: typer.Context) -> None:
    from scaling_cli.files.budget_schema import schema_text

    options.refuse_beside(context, "--schema", allowed=("schema",))
    sys.stdout.write(schema_text())
    sys.stdout.flush()


def _report(checked: Checked) -> "Report":
    from scaling_cli.report.checking import check_report

    return check_report(checked)


def _face(checked: Checked, fmt: str) -> str:
    from scaling_cli.report.faces import render_check

    return render_check(checked, fmt)
