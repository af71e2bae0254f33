"""What a loss is made of: irreducible, due to finite params, due to finite tokens."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from scaling_cli.core.duals import Value
from scaling_cli.core.knowns import check_counts, check_settings, check_sizes
from scaling_cli.core.laws import Law
from scaling_cli.core.notes import range_notes
from scaling_cli.core.relations import Settings
from scaling_cli.core.surface import Surface
from scaling_cli.core.sweeps import is_array
from scaling_cli.errors import NoAnswer

UNCERTAIN = ("loss", "irreducible", "loss_from_params", "loss_from_tokens")  # what draws give an interval of


class Loss(NamedTuple):
    """A predicted loss and its parts, in the law's unit; the three parts add up to it.

    `low` and `high` are the ends of intervals by name, where the law carries draws.
    """

    law: str
    params: Value
    tokens: Value
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


def predict_loss(law: Law, params: Value, tokens: Value, settings: Settings) -> Loss:
    """Return the loss of params trained on tokens, decomposed.

    Irreducible is L(inf, inf); due to params, L(N, inf) less that; due to tokens, the rest. So laws that are not
    sums decompose too.

    Args:
        law: a law with a loss relation.
        params: N, as the law counts it; > 0.
        tokens: D, > 0.
        settings: values of the law's declared variables.

    Raises: NoAnswer where the law has no loss of params and tokens, or a number overflows.
    """
    surface = Surface(law, check_settings(law, settings))
    params, tokens = check_counts({"params": params, "tokens": tokens}).values()
    if not surface.has_loss:
        raise NoAnswer(f"{law.id} has no loss of params and tokens", "`scaling laws` lists what each law relates")
    flops = surface.flops(params, tokens)
    if not is_array(flops):
        check_sizes(law.id, flops=flops)
    loss = surface.loss_of(params, tokens)
    outside = range_notes(law, ["loss"], {"N": params, "D": tokens, "C": flops, **settings})
    whole = Loss(law.id, params, tokens, flops, loss, outside=outside)
    try:
        irreducible = surface.irreducible
        from_params = surface.loss_of(params, math.inf) - irreducible
    except NoAnswer:
        irreducible, from_params = math.nan, math.nan
    rest = loss - irreducible - from_params
    if not is_array(loss) and not (0.0 <= irreducible <= loss and from_params >= 0.0 and rest >= 0.0):
        return whole._replace(notes=(f"{law.id}: its loss falls to no floor, so it has no parts",))
    return whole._replace(irreducible=irreducible, loss_from_params=from_params, loss_from_tokens=rest)
