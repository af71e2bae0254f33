"""What to say of a plan with limited data or inference demand."""

import math
from collections.abc import Iterator, Mapping

from scaling_cli.core.answers import Plan
from scaling_cli.core.constrained import Constrained
from scaling_cli.core.demands import Demands
from scaling_cli.core.duals import Value
from scaling_cli.core.quantities import format_quantity
from scaling_cli.core.repeats import RepeatedSurface
from scaling_cli.errors import NoAnswer

ROUNDING = 1e-9  # of a budget
NEARLY_ALL = 1.001  # of the least loss that limited data allow: 0.1 % above it


def data_notes(plan: Plan, known: Mapping[str, Value], demands: Demands, asked: Constrained) -> Iterator[str]:
    """Yield what to read a plan with limited data or inference with."""
    law = plan.law
    if demands.unique_tokens is not None:
        yield from _of_data(plan, demands, asked)
    if demands.inference_tokens is not None and "flops" in known:
        more = plan.flops / known["flops"] - 1.0
        if more < -ROUNDING:
            flops = format_quantity(plan.flops, "flops")
            yield f"{law}: limits leave {flops} FLOPs of training, less than the budget, and the loss gives way"
            return
        yield (
            f"{law}: training takes {format_quantity(plan.flops, 'flops')} FLOPs, {100.0 * more:.3g} % more than the "
            "budget whose loss is matched, and least over its life with inference at 2 N FLOPs per token"
        )
    elif demands.inference_tokens is not None:
        yield f"{law}: inference counts 2 N FLOPs per token (Sardana et al. 2024, section 2)"


def _of_data(plan: Plan, demands: Demands, asked: Constrained) -> Iterator[str]:
    limited, unique = asked.limited, demands.unique_tokens
    floor = limited.loss_of(math.inf, math.inf)
    if isinstance(limited, RepeatedSurface):
        worth = format_quantity(limited.effective_tokens(plan.tokens), "tokens")
        fed, decay = format_quantity(limited.fed, "params"), limited.decay
        yield (
            f"{plan.law}: {format_quantity(unique, 'tokens')} unique tokens feed {fed} params at full worth, by "
            f"its own frontier; the tokens seen are worth {worth} unique ones (Muennighoff et al. 2023, eqs. 5 and 6; "
            f"R_D {decay.tokens:.4g} and R_N {decay.params:.4g} are theirs)"
        )
    yield f"{plan.law}: with these data no compute brings the loss below {floor:.4f}{_nearly(asked, demands, floor)}"


def _nearly(asked: Constrained, demands: Demands, floor: float) -> str:
    bare = Demands(unique_tokens=demands.unique_tokens)
    try:
        run = asked.cheapest(floor * NEARLY_ALL, bare, training_only=True)
    except NoAnswer:
        return ""
    flops = format_quantity(asked.limited.flops(*run), "flops")
    return f"; beyond {flops} FLOPs more of it buys less than 0.1 %"
