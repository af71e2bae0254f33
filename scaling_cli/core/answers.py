"""What a plan answers: the numbers of one run, what it costs to be there, and what to read it with. Data only."""

from collections.abc import Mapping
from typing import NamedTuple

from scaling_cli.core.duals import Value

UNCERTAIN = ("flops", "params", "tokens", "tokens_per_param", "loss")  # what draws give an interval of


class Price(NamedTuple):
    """What one demand costs: the loss and the training FLOPs of the plan without it; None where there is none.

    `loss_cost` is the loss above that; `flops_back` the training FLOPs that reach that loss with the demand kept, None
    where none do. Where nothing else bounds the compute, the loss is that of infinite compute, and both FLOPs are None.
    """

    demand: str
    loss_without: Value | None = None
    loss_cost: Value | None = None
    flops_without: Value | None = None
    flops_back: Value | None = None


class Plan(NamedTuple):
    """An answer. None where the law has no such relation or the question does not ask.

    `optimal_params`, `optimal_loss`, `flops_same_loss` and `waste` compare a given run with the minimum of the loss
    surface at the same flops; `outside` says how far beyond the experimented range the answer lies; `answered` is
    False where the law could not answer at all, which `notes` explain; `low` and `high` are the ends of intervals by
    name, where the law carries draws, but for the names in `ranged`: of the usual utilisation, where none was given.

    What a machine, limited data or inference make of it follows: accelerator-hours, days, dollars and MWh of training,
    bytes of the weights, unique tokens and passes over them, tokens served, and FLOPs and dollars of training and
    inference; `prices` says what each demand costs.
    """

    law: str
    flops: Value | None = None
    params: Value | None = None
    tokens: Value | None = None
    tokens_per_param: Value | None = None
    loss: Value | None = None
    optimal_params: Value | None = None
    optimal_loss: Value | None = None
    flops_same_loss: Value | None = None
    waste: Value | None = None
    relations: Mapping[str, float] = {}
    notes: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    answered: bool = True
    low: Mapping[str, Value] = {}
    high: Mapping[str, Value] = {}
    ranged: tuple[str, ...] = ()
    gpu_hours: Value | None = None
    days: Value | None = None
    dollars: Value | None = None
    energy_mwh: Value | None = None
    memory_bytes: Value | None = None
    unique_tokens: Value | None = None
    epochs: Value | None = None
    inference_tokens: Value | None = None
    lifetime_flops: Value | None = None
    lifetime_dollars: Value | None = None
    prices: tuple[Price, ...] = ()
