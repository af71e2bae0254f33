"""Compute budgets for training neural networks, by published scaling laws or your own.

>>> import scaling_cli
>>> scaling_cli.plan("chinchilla", flops="1.21e20").tokens_per_param
20.166666666666668
"""

from scaling_cli.core.answers import Plan
from scaling_cli.core.comparisons import Rung
from scaling_cli.core.laws import Law
from scaling_cli.core.losses import Loss
from scaling_cli.errors import FileError, InputError, NoAnswer, ScalingError
from scaling_cli.files.catalogue import law_ids, load_law
from scaling_cli.library import check_law, compare, diagnose, plan, predict_loss

__all__ = [
    "FileError", "InputError", "Law", "Loss", "NoAnswer", "Plan", "Rung", "ScalingError", "check_law", "compare",
    "diagnose", "law_ids", "load_law", "plan", "predict_loss",
]  # fmt: skip
