"""Training runs as columns of numbers, what was left out of them, and what to ask about them before a fit."""

import math
import operator
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import compress
from typing import NamedTuple

from scaling_cli.core.compute import training_flops
from scaling_cli.core.quantities import format_quantity

ROLES = ("params", "tokens", "flops", "loss")
COMPUTE = ("params", "tokens", "flops")  # of these three, two give the third by 6ND
FEW_ROWS = 5  # of the rows that a sentence is about, how many it names

# The largest of a set of runs has more than 1e5 parameters, tokens and FLOPs, and fewer than 1e5 billion of them.
SMALLEST_COUNT = 1e5
# A uniform guess costs ln(vocabulary) nats per token, and ln(3000) = 8; trained models are far below a guess.
LARGEST_LOSS = 8.0
NEAR = 0.1  # from 6ND: attention and embeddings move FLOPs by a tenth; more is another way to count
FARTHEST = 30.0  # times 6ND, more than recomputation, attention to long contexts and repeated forward passes take; ours
UNITS = {"thousands": 3, "millions": 6, "billions": 9, "trillions": 12}  # by their words
SAMPLE = 100_000  # runs that quartiles are taken of; sorting a million would cost as much as reading them


@dataclass(frozen=True, slots=True)
class Dropped:
    """Rows left out for one reason; `rows` counts from 1 below the header."""

    reason: str
    count: int
    rows: tuple[int, ...]

    def __str__(self) -> str:
        plural = "" if self.count == 1 else "s"
        return f"{self.count} row{plural} dropped: {self.reason} ({listed_rows(self.rows)})"


def listed_rows(rows: Sequence[int]) -> str:
    """Return the first few of some rows as words.

    >>> listed_rows([4]), listed_rows([1, 2, 3, 4, 5, 6])
    ('row 4', 'rows 1, 2, 3, 4, 5, ...')
    """
    return f"row{'s' if rows[1:] else ''} " + ", ".join(map(str, rows[:FEW_ROWS])) + ", ..." * (len(rows) > FEW_ROWS)


class Runs(NamedTuple):
    """Training runs read from a table.

    Fields:
        columns: numbers by name, one per run: params, tokens, flops (counts), loss, and whatever was asked for.
        labels: texts by name, one per run, of the columns that selected or group the runs.
        rows: where each run stands in the table, from 1 below the header.
        read, used: rows in the table; runs here. What lies between is in `dropped`.
        notes: what was assumed and what looks odd.
        path, sha256: the file, and the checksum of its bytes.
    """

    columns: Mapping[str, list[float]]
    labels: Mapping[str, list[str]]
    rows: list[int]
    read: int
    used: int
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()
    path: str = ""
    sha256: str = ""


def left_of(runs: Runs) -> str:
    """Say how many rows are left, and why the others are not."""
    reasons = "; ".join(f"{dropped.count} {dropped.reason}" for dropped in runs.dropped)
    return f"{runs.used} of {runs.read} rows {'is' if runs.used == 1 else 'are'} left: {reasons}"


class ComputeRatio(NamedTuple):
    """FLOPs of runs in units of 6ND: the quartiles over the runs."""

    low: float
    median: float
    high: float

    @property
    def is_near(self) -> bool:
        """Whether 6ND is what the FLOPs are, but for what it leaves out."""
        return abs(self.median - 1.0) < NEAR

    @property
    def is_compute(self) -> bool:
        """Whether the FLOPs can be FLOPs at all: training has none of so many times more or less than 6ND."""
        return 1.0 / FARTHEST < self.median < FARTHEST

    def __str__(self) -> str:
        low, median, high = (format_quantity(ratio, "ratio") for ratio in self)
        spread = "" if low == median == high else f", half of which lie from {low} to {high}"
        return f"{median} x 6ND (median over the runs{spread})"


def compute_ratio(columns: Mapping[str, Sequence[float]]) -> ComputeRatio | None:
    """Return how far the FLOPs of runs are from 6ND; None where not every run has params, tokens and flops."""
    if not all(name in columns for name in COMPUTE):
        return None
    step = -(-len(columns["flops"]) // SAMPLE)
    triples = zip(*(columns[name][::step] for name in COMPUTE), strict=True)
    ratios = sorted(flops / training_flops(params, tokens) for params, tokens, flops in triples)
    quarter = len(ratios) // 4
    return ComputeRatio(ratios[quarter], ratios[len(ratios) // 2], ratios[-1 - quarter])


def compute_note(ratio: ComputeRatio) -> str:
    """Say how far the given FLOPs are from 6ND, and what that means."""
    if not ratio.is_compute:
        return f"flops are {ratio}: another unit? --columns flops=... reads it; a law of params and tokens counts 6ND"
    if not ratio.is_near:
        return f"flops are used as given: {ratio}; --flops-from 6nd works them out anew"
    if format_quantity(ratio.median, "ratio") == "1":
        return f"flops are used as given: {ratio}"
    return f"flops are {ratio}: near enough for a law of params and tokens to count them as 6ND"


def unit_notes(
    columns: Mapping[str, Sequence[float]], given: Mapping[str, str], headings: Mapping[str, str]
) -> Iterator[str]:
    """Ask about units where the numbers look like other ones.

    Args:
        columns: numbers by name.
        given: for the quantities read from the table, a formula that reads them again.
        headings: for these, the name of the column, which may say a unit: "Params (M)".
    """
    for name, text in given.items():
        if name in COMPUTE and max(columns[name]) < SMALLEST_COUNT:
            factor = text if text.isidentifier() else f"({text})"
            unit = unit_in(headings.get(name, ""))
            guess, power = unit or ("billions", 9)
            fix = f"{factor}*1e{power}"
            if name == "flops" and unit is None:
                guess, fix = "logarithms", f"10**{factor}"
            yield f"{name} are all below 1e5: are they {guess}? --columns {name}={fix}"
    if "loss" in given and sum(map(LARGEST_LOSS.__lt__, columns["loss"])) * 2 > len(columns["loss"]):
        yield (
            "most losses are above 8 nats per token, more than a guess among 3000 tokens costs: "
            f"are they perplexity or bits per byte? --columns loss=log({given['loss']}) reads perplexity"
        )


def unit_in(heading: str) -> tuple[str, int] | None:
    """Return the unit that a column name ends in and its power of ten: "Params (M)", "size_b", "in millions".

    >>> unit_in("Params (M)"), unit_in("params")
    (('millions', 6), None)
    """
    words = [word for word in re.split(r"[\W_]+", heading) if word]
    last = words[-1].lower().removesuffix("s") if len(words) > 1 else ""
    return next(((word, power) for word, power in UNITS.items() if last in (word[0], word[:-1])), None)


def replicate_note(columns: Mapping[str, Sequence[float]], names: Sequence[str]) -> Iterator[str]:
    """Count the runs that share all of the named quantities with an earlier run."""
    count = _repeats([columns[name] for name in names])
    if count:
        words = f"{', '.join(names[:-1])} and {names[-1]}" if names[1:] else names[0]
        plural = "runs have" if count > 1 else "run has"
        yield f"{count} {plural} the same {words} as an earlier one; kept: their losses tell the noise"


def _repeats(lists: Sequence[Sequence[float]]) -> int:
    if not lists:
        return 0
    every: Iterable[float] = reduce(lambda one, other: map(operator.mul, one, other), lists)  # in C, unlike tuples
    products = list(every)
    shared = {product for product, times in Counter(products).items() if times > 1}
    rows = list(compress(zip(*lists, strict=True), map(shared.__contains__, products)))
    return len(rows) - len(set(rows))


def first_bad(values: Sequence[float], *, positive: bool) -> int | None:
    """Return where the first value is that is not finite, or not above zero where it must be; None if all are."""
    if math.isfinite(sum(values)) and not (positive and min(values, default=1.0) <= 0.0):
        return None
    bad = (i for i, value in enumerate(values) if not (math.isfinite(value) and (value > 0.0 or not positive)))
    return next(bad, None)  # none where finite values have a sum that is not
