"""What a loss is made of: irreducible, due to finite params, due to finite tokens."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scaling_cli.core.askable import counts_of_loss
from scaling_cli.core.duals import Value
from scaling_cli.core.knowns import check_counts, check_settings, check_sizes
from scaling_cli.core.laws import Law
from scaling_cli.core.notes import range_notes
from scaling_cli.core.relations import Settings
from scaling_cli.core.surface import Surface
from scaling_cli.core.sweeps import is_array
from scaling_cli.errors import InputError, NoAnswer

ANY = 1.0  # a count that the loss does not rest on
EXAMPLES = {"params": "--params 70B", "tokens": "--tokens 1.4T"}
UNCERTAIN = ("loss", "irreducible", "loss_from_params", "loss_from_tokens")  # what draws give an interval of


class Loss(NamedTuple):
    """A predicted loss and its parts, in the law's unit; the three parts add up to it.

    Of params and tokens, what it does not rest on may be None, and then flops are too. Of neither it has no parts.
    `low` and `high` are the ends of intervals by name, where the law carries draws.
    """

    law: str
    params: Value | None
    tokens: Value | None
    flops: Value | None = None
    loss: Value | None = None
    irreducible: Value | None = None
    loss_from_params: Value | None = None
    loss_from_tokens: Value | None = None
    notes: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    answered: bool = True
    low: Mapping[str, Value] = {}
    high: Mapping[str, Value] = {}


def predict_loss(law: Law, params: Value | None, tokens: Value | None, settings: Settings) -> Loss:
    """Return the loss of params trained on tokens, decomposed.

    Irreducible is L(inf, inf); due to params, L(N, inf) less that; due to tokens, the rest. So laws that are not
    sums decompose too.

    Args:
        law: a law with a loss relation.
        params: N, as the law counts it; > 0. None for a loss that does not rest on it.
        tokens: D, > 0; None likewise.
        settings: values of the law's declared variables.

    Raises: NoAnswer where the law has no loss of params and tokens, or a number overflows; InputError for a count that
        is missing, or is none.
    """
    surface = Surface(law, check_settings(law, settings))
    counts = check_counts({n: value for n, value in (("params", params), ("tokens", tokens)) if value is not None})
    if not surface.has_loss:
        raise NoAnswer(f"{law.id} has no loss of params and tokens", "`scaling laws` lists what each law relates")
    surface.relation("loss")  # a form, or a variable that is not set, before what it would need besides
    needed = counts_of_loss(law, surface.settings)
    _require(law, needed, counts)
    whole = Loss(law.id, counts.get("params"), counts.get("tokens"), _flops(surface, counts))
    known = {letter: value for letter, value in zip("NDC", whole[1:4], strict=True) if value is not None}
    params, tokens = counts.get("params", ANY), counts.get("tokens", ANY)
    loss = surface.loss_of(params, tokens)
    whole = whole._replace(loss=loss, outside=range_notes(law, ["loss"], {**known, **settings}))
    if not needed:
        return whole._replace(notes=(f"{law.id}: what is set decides its loss, which has no parts of N and D",))
    try:
        irreducible = surface.irreducible
        from_params = surface.loss_of(params, math.inf) - irreducible
    except NoAnswer:
        irreducible, from_params = math.nan, math.nan
    rest = loss - irreducible - from_params
    if not is_array(loss) and not (0.0 <= irreducible <= loss and from_params >= 0.0 and rest >= 0.0):
        return whole._replace(notes=(f"{law.id}: its loss falls to no floor, so it has no parts",))
    return whole._replace(irreducible=irreducible, loss_from_params=from_params, loss_from_tokens=rest)


def _require(law: Law, needed: Sequence[str], counts: Mapping[str, Value]) -> None:
    """Refuse a question that lacks a count on which the law's loss rests."""
    if not counts.keys() >= set(needed):
        options = " and ".join(f"--{name}" for name in needed)
        raise InputError(
            f"a loss by {law.id} needs {options}", f"such as {' '.join(EXAMPLES[name] for name in needed)}"
        )


def _flops(surface: Surface, counts: Mapping[str, Value]) -> Value | None:
    """Return the training FLOPs of params and tokens; None where one of them is not known."""
    if len(counts) < len(EXAMPLES):
        return None
    flops = surface.flops(counts["params"], counts["tokens"])
    if not is_array(flops):
        check_sizes(surface.law.id, flops=flops)
    return flops
