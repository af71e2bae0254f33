"""A model's config.json, as Hugging Face publishes it, to the architecture that it stands for. No model code runs."""

import json
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from scaling_cli.core.architectures import Architecture, Counts, count
from scaling_cli.errors import FileError
from scaling_cli.files.architectures import architecture_of
from scaling_cli.files.config_values import Values, shown
from scaling_cli.files.families import FAMILIES
from scaling_cli.files.reading import name_of, read_text

NEEDED = ("layers", "width")  # a file that says neither is no description of a model, whatever the defaults are


class Config(NamedTuple):
    """What a config.json says.

    Args:
        path: the file, as the user named it.
        model_type: the family.
        shape: the architecture.
        notes: what the file does not say and the family's defaults do, and what is left out.
    """

    path: str
    model_type: str
    shape: Architecture
    notes: tuple[str, ...] = ()


def count_config(path: str, context: float | None = None) -> Counts:
    """Return the exact counts of the model that a config.json describes.

    Args:
        path: the file; '-' is standard input.
        context: tokens per sequence, for the FLOPs of attention; by default the model's own, at most 2048.
    Raises: FileError for a file that is wrong or a family that is not known; InputError for a wrong context.
    """
    return count(read_config(path).shape, context)


def read_config(path: str) -> Config:
    """Return the architecture that a config.json describes.

    The parameters are those that the reference implementation (transformers 5.23.0) builds for causal language
    modelling, absent keys meaning what they mean there; of a model of several parts it is the text model.

    Args:
        path: the file; '-' is standard input.
    Raises: FileError naming file and key: no JSON, a family that is not known, a value that cannot be.
    """
    top = _parse(path)
    section, block = "", top
    nested = top.get("text_config")
    if isinstance(nested, dict):
        tied = top.get("tie_word_embeddings")  # stands beside the text model, and is its own where that says nothing
        section, block = "text_config.", nested if tied is None else {"tie_word_embeddings": tied, **nested}
    model_type = block.get("model_type")
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        _refuse_family(name_of(path), f"{section}model_type", model_type)
    values = Values(block, name_of(path), FAMILIES[model_type], section=section)
    _refuse_unknown(values, needed=() if section else NEEDED)
    shape = architecture_of(values, model_type)
    return Config(path, model_type, shape, tuple(_notes(values)))


def _parse(path: str) -> dict[str, object]:
    """Return the mapping in a JSON file."""
    text = read_text(path)
    name = name_of(path)
    try:
        top = json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise FileError(name, "is nested too deeply", "expected a config.json as Hugging Face publishes it") from None
    except json.JSONDecodeError as error:
        raise FileError(name, f"is not JSON: {error.msg}", "expected a config.json", line=error.lineno) from None
    except _Twice as twice:
        raise FileError(name, f"{ascii(twice.args[0])[:40]} stands twice in one mapping", "keep one of them") from None
    except ValueError:  # Python refuses to read thousands of digits
        raise FileError(name, "has a number of thousands of digits", "expected a config.json") from None
    if not isinstance(top, dict):
        raise FileError(name, "is not a mapping", 'expected {"model_type": "llama", "hidden_size": 4096, ...}')
    return top


class _Twice(ValueError):
    """A key stands twice in one mapping."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a mapping of which every key is given once; JSON would silently keep the last."""
    block: dict[str, object] = {}
    for key, value in pairs:
        if key in block:
            raise _Twice(key)
        block[key] = value
    return block


def _refuse_family(name: str, key: str, model_type: object) -> NoReturn:
    problem = "is missing" if model_type is None else f"is {shown(model_type)}, no family that is counted"
    raise FileError(name, f"{key} {problem}", f"expected one of {', '.join(sorted(FAMILIES))}")


def _refuse_unknown(values: Values, *, needed: tuple[str, ...]) -> None:
    """Refuse a file without its main sizes, or with layers that this description does not hold."""
    for role in needed:
        if (key := values.key(role)) not in values.block:
            values.fail(key, "is missing", "expected a whole number of at least 1; is this the config of a model?")
    if values.flag("add_cross_attention"):
        values.fail(
            "add_cross_attention", "is true", "expected a decoder alone; layers of cross-attention are not counted"
        )
    if values.block.get("per_layer_config"):
        values.fail("per_layer_config", "is set", "expected layers of one kind; these are not counted")


def _notes(values: Values) -> Iterator[str]:
    """Say what is taken for what the file does not say, and what is left out."""
    if values.assumed:
        assumed = ", ".join(f"{key} {value}" for key, value in values.assumed.items())
        yield f"not in the file, so as in the reference implementation: {assumed}"
    if values.section:
        yield "the text model alone (text_config): whatever reads images or sound is not counted"
    if values.block.get("moe_layer_freq", 1) != 1:
        yield "moe_layer_freq is set aside, as the reference implementation does"
