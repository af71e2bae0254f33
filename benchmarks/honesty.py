"""How often 90 % prediction intervals hold the truth for runs up to 10x beyond those fitted.

    python benchmarks/honesty.py

Each set of published runs is fitted on its smallest scales only (model sizes of a ladder, budgets of isoFLOP runs), for
every number of scales from the fewest that a form allows; each larger run within 10x of the largest fitted compute is
then predicted. `plain` is the interval that follows from the fit alone; `printed` the one that `scaling fit` prints,
which includes the errors seen when the fit's own largest runs are held out. `far` counts runs beyond 4x alone. Fits to
fewer than three scales, or none of whose scales can be held out, are point estimates, and are counted apart. By the
isoflop method the truth is the least loss of a larger budget. The envelope method has no set here with enough sizes.

Reads the tables where SCALING_DATA points, else in ../shared/data beside the checkout.
"""

import csv
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from usage import number_of

from scaling_cli.errors import ScalingError
from scaling_cli.files.catalogue import load_law
from scaling_cli.fit.fits import Fit, Options, fit_form
from scaling_cli.fit.forms import DEFAULT_FORM, Form, formula_form, preset_form, settle
from scaling_cli.fit.frontier_predictions import hold_out as minima_held_out
from scaling_cli.fit.frontier_predictions import predict as predict_minima
from scaling_cli.fit.frontiers import FrontierFit, fit_frontier
from scaling_cli.fit.holdouts import HoldOut, hold_out, scales_of
from scaling_cli.fit.isoflops import isoflop_minima
from scaling_cli.fit.minima import Minima
from scaling_cli.fit.new_runs import new_runs
from scaling_cli.fit.objectives import objective
from scaling_cli.fit.samples import Sample, sample_of

DATA = Path(os.environ.get("SCALING_DATA") or Path(__file__).parents[2] / "shared" / "data")
DRAWS = 200
BEYOND, FAR = 10.5, 4.0  # factors of compute; published budgets are rounded
LADDERS = ("gadre", "olmo")  # sets without budgets of many sizes
WANTED, STRICT, STRICTER = 75.0, 90.0, LADDERS  # per cent that printed intervals are to hold, and where more
ONE_SIDED = 80.0  # per cent of misses on one side
COLUMNS = ("params", "tokens", "flops")
Key = tuple[str, str, str]


class Count(NamedTuple):
    """Runs predicted: which the plain and the printed intervals hold, half widths of both, which are far, and errors.

    All (m,), widths (2, m); widths and errors (run less prediction) in per cent. Empty for a point estimate.
    """

    plain: np.ndarray
    printed: np.ndarray
    widths: np.ndarray
    far: np.ndarray
    errors: np.ndarray


NONE = np.empty(0, dtype=bool)
POINT = Count(NONE, NONE, np.empty((2, 0)), NONE, np.empty(0))


def main() -> None:
    """Print the table, by set and form, and which sets fall short."""
    number_of(__doc__)
    if not DATA.is_dir():
        sys.exit(f"no folder {DATA}: set SCALING_DATA to where the tables are")
    counts: dict[Key, list[Count]] = defaultdict(list)
    for name, sample in sets():
        for form_name, form in forms():
            found = list(cuts(form, sample))
            for key in ((name, form_name, "parametric"), (name, "all forms", "parametric")):
                counts[key] += found
            counts["all sets", form_name, "parametric"] += found
            counts["all sets", "all forms", "parametric"] += found
        if not name.startswith(LADDERS):
            found = list(isoflop_cuts(sample))
            counts[name, "power law of minima", "isoflop"] += found
            counts["all sets", "power law of minima", "isoflop"] += found
    show(counts)
    explain(counts)


def sets() -> Iterator[tuple[str, Sample]]:
    """Yield the published sets of runs."""
    rows = [row for row in read("chinchilla_epoch.csv") if row["in_published_fit"] == "1"]
    yield "chinchilla", sample(rows, "loss")
    rows = read("porian_isoflop.csv")
    for name in sorted({row["experiment"] for row in rows}):
        mine = [row for row in rows if row["experiment"] == name]
        yield "porian " + name.removeprefix("refinedweb__"), sample(mine, "loss")
    rows = read("gadre_testbed.csv")
    for name in sorted({row["train_set"] for row in rows}):
        yield f"gadre {name}", sample([row for row in rows if row["train_set"] == name], "loss_c4_val")
    yield "olmo ladder", sample(read("olmo_ladder.csv"), "loss")


def forms() -> Iterator[tuple[str, Form]]:
    """Yield the forms in params and tokens that are compared."""
    chinchilla = preset_form(load_law(DEFAULT_FORM), ["N", "D"])
    yield "E + A/N^alpha + B/D^beta", chinchilla
    yield "alpha = beta", settle(chinchilla, {"beta": "alpha"}, {})
    yield "no floor", formula_form("A / N**alpha + B / D**beta", ["N", "D"], positive=[], target="loss")
    yield "Kaplan et al. 2020", preset_form(load_law("kaplan-2020"), ["N", "D"])


def cuts(form: Form, sample: Sample) -> Iterator[Count]:
    """Yield what fits of the smaller scales make of the larger runs."""
    scales, _ = scales_of(sample)
    flops = sample.data["C"]
    options = Options(objective("huber-log"), DRAWS)
    for count in range(3, int(scales.max()) + 1):
        seen = scales < count
        reach = flops / flops[seen].max()
        later = ~seen & (reach <= BEYOND)
        if not later.any():
            continue
        try:
            fit = fit_form(form, sample.part(seen), options)
        except ScalingError:
            continue
        yield judged(fit, hold_out(fit), sample.part(later), reach[later])


def isoflop_cuts(sample: Sample) -> Iterator[Count]:
    """Yield what power laws through the smaller budgets' minima make of the larger budgets' minima."""
    try:
        minima = isoflop_minima(sample, draws=DRAWS, seed=0)
    except ScalingError:
        return
    flops = np.exp(minima.log_flops.values)
    order = np.argsort(np.argsort(flops))
    for count in range(3, flops.size):
        seen = order < count
        reach = flops / flops[seen].max()
        later = ~seen & (reach <= BEYOND)
        if later.any():
            fit = fit_frontier("isoflop", minima.part(seen), seed=0)
            yield judged_minima(fit, minima.part(later), reach[later])


def judged_minima(fit: FrontierFit, later: Minima, reach: np.ndarray) -> Count:
    """Return which of the later budgets' least losses lie in the interval of a new run there."""
    found = predict_minima(fit, np.exp(later.log_flops.values), minima_held_out(fit, seed=0), seed=0)
    ends = [(p.plain_loss_low, p.plain_loss_high, p.new_loss_low, p.new_loss_high) for p in found]
    if any(end is None for row in ends for end in row):
        return POINT
    table, truth = np.array(ends, dtype=float), later.loss.values
    inside = [(table[:, i] <= truth) & (truth <= table[:, i + 1]) for i in (0, 2)]
    widths = np.array([50.0 * np.log(table[:, i + 1] / table[:, i]) for i in (0, 2)])
    return Count(*inside, widths, reach > FAR, 100.0 * np.log(truth / np.array([p.loss for p in found])))


def judged(fit: Fit, held: HoldOut, later: Sample, reach: np.ndarray) -> Count:
    """Return which of the later runs lie in their intervals."""
    new = new_runs(fit, later.data, held)
    low, high = new.printed
    if low is None or high is None:
        return POINT
    inside = [(ends[0] <= later.target) & (later.target <= ends[1]) for ends in (new.plain, (low, high))]
    widths = np.array([50.0 * np.log(ends[1] / ends[0]) for ends in (new.plain, (low, high))])
    return Count(*inside, widths, reach > FAR, 100.0 * np.log(later.target / new.loss))


def show(counts: dict[Key, list[Count]]) -> None:
    """Print coverage by set, form and method."""
    heads = ("fits", "of a point", "runs", "plain", "printed", "far runs", "plain", "printed", "+-plain", "+-printed")
    print(f"{'set':50}{'form':26}{'method':12}" + "".join(f"{head:>11}" for head in heads) + "   (%)")
    for (name, form, method), found in sorted(counts.items(), key=lambda item: (item[0][0] == "all sets", item[0])):
        if found:
            print(f"{name:50}{form:26}{method:12}" + "".join(cells(found)))


def cells(found: list[Count]) -> list[str]:
    """Return the numbers of one line."""
    plain, printed, far = (joined(found, part) for part in ("plain", "printed", "far"))
    widths = np.concatenate([count.widths for count in found], axis=1)
    points = sum(not count.plain.size for count in found)
    line = [f"{len(found):11}", f"{points:11}", f"{plain.size:11}", share(plain), share(printed), f"{far.sum():11}"]
    line += [share(plain[far]), share(printed[far])]
    return line + [f"{np.median(width):11.2f}" if width.size else f"{'-':>11}" for width in widths]


def joined(found: list[Count], part: str) -> np.ndarray:
    """Return one field of all counts, end to end."""
    return np.concatenate([getattr(count, part) for count in found])


def explain(counts: dict[Key, list[Count]]) -> None:
    """Name the sets and forms whose printed intervals hold too few runs, and how the runs leave the form."""
    print(f"\nprinted intervals that hold fewer than {WANTED:g} % ({STRICT:g} % for {' and '.join(STRICTER)}):")
    for (name, form, _), found in sorted((key, found) for key, found in counts.items() if found):
        printed, errors = joined(found, "printed"), joined(found, "errors")
        wanted = STRICT if name.startswith(STRICTER) else WANTED
        if printed.size and 100.0 * printed.mean() < wanted and form != "all forms":
            missed = errors[~printed]
            above = 100.0 * float((missed > 0.0).mean())
            side, part = ("above", above) if above >= 50.0 else ("below", 100.0 - above)
            said = f"of the {missed.size} runs outside, {part:.0f} % lie {side} the prediction"
            size = f"by {np.median(np.abs(missed)):.1f} % in the middle"
            print(f"  {name}, {form}: {100.0 * printed.mean():.1f} %: {said}, {size}: {reason(part)}")


def reason(part: float) -> str:
    """Return what it means that so many per cent of the misses lie on one side."""
    if part >= ONE_SIDED:
        return "the runs bend away from this form further out than their own held-out part shows"
    return "the runs scatter more further out than those fitted"


def share(held: np.ndarray) -> str:
    """Return the share of runs that are held, in per cent."""
    return f"{100.0 * held.mean():11.1f}" if held.size else f"{'-':>11}"


def sample(rows: list[dict[str, str]], loss: str) -> Sample:
    """Return rows of a table as a sample, with compute as given."""
    rows = [row for row in rows if row[loss] and np.isfinite(float(row[loss]))]
    columns = {letter: [float(row[name]) for row in rows] for letter, name in zip("NDC", COLUMNS, strict=True)}
    return sample_of(columns, [float(row[loss]) for row in rows])


def read(name: str) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with open(DATA / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
