"""Published fits of published runs: what the authors got, and what `scaling fit` gets from the same runs.

    python benchmarks/published_fits.py

Reads the tables where SCALING_DATA points, else in ../shared/data beside the checkout. For each fit: the objective at
the published constants, the objective reached, and each constant with its relative difference, got / published - 1.
Where the objective reached is clearly lower, the published answer is not the optimum of the objective named here, and
both are shown.
"""

import csv
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from usage import number_of

from scaling_cli.core.formulas import compile_tree, names_in
from scaling_cli.errors import ScalingError
from scaling_cli.fit.fits import Options, fit_form
from scaling_cli.fit.forms import formula_form, settle
from scaling_cli.fit.objectives import objective
from scaling_cli.fit.samples import sample_of
from scaling_cli.fitting import Answer, FrontierAnswer, Request, fit_runs
from scaling_cli.fitting.requests import COLUMNS

DATA = Path(os.environ.get("SCALING_DATA") or Path(__file__).parents[2] / "shared" / "data")
TOLERANCE = 1e-4  # by which an objective must be lower to be called lower
ROUNDED = 1e-3  # relative difference of constants that four printed digits and a flat optimum explain
CHINCHILLA = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
BESIROGLU = {"A": (285, 744), "B": (1042, 5810), "E": (1.769, 1.871), "alpha": (0.317, 0.373), "beta": (0.331, 0.415)}
GADRE = "a * N**-q + b * 6**(-q / 2) * D**-q + E"  # (M N)**-q with M = D / N
CLARK = "a * log10(N) + b * log10(H) + c * log10(N) * log10(H) + d".replace(
    "H", "(1 / (1 / (experts - 1 + 1 / (1 / Es - 1 / Em)) + 1 / Em))"
)
HELD_OUT = {"open_lm_1b": (640.0, 0.007103), "open_lm_7b": (20.0, 0.007320)}  # arXiv:2403.08540: D / N, relative error
MUENNIGHOFF = {"ln_A": "6.255414", "ln_B": "7.3049974", "ln_E": "0.6254804", "alpha": "0.3526596", "beta": "0.3526596"}
PALM = {1e20: 1.04e9, 1e21: 3.35e9, 1e22: 1.07e10}  # arXiv:2305.10403, "PaLM 2 optimal params"
DIGITS, ERROR_DIGITS = 6.0, 4.0  # that a certified problem asks for


class Case(NamedTuple):
    """A published fit: its source, the question, and its constants."""

    title: str
    request: Request
    published: dict[str, float]


def main() -> None:
    """Print every fit."""
    number_of(__doc__)
    if not DATA.is_dir():
        sys.exit(f"no folder {DATA}: set SCALING_DATA to where the tables are")
    for case in cases():
        try:
            show(case, fit_runs(case.request))
        except ScalingError as error:
            print(f"\n{case.title}\n  not fitted: {error}")
    show_besiroglu()
    show_gadre()
    show_palm()
    show_porian_minima()
    print("\nMulti-Power Law (mpl_loss_curves.csv)\n  not a formula of columns: it sums over the schedule")
    show_nist()


def cases() -> Iterator[Case]:
    """Yield the published fits that a formula can express."""
    path = str(DATA / "chinchilla_epoch.csv")
    yield Case("Besiroglu et al. 2024, Huber 1e-3, 240 runs kept; theirs minimise the objective that comes next",
               ask(path, where="in_published_fit == 1"), CHINCHILLA)  # fmt: skip
    yield Case("The same runs, sum of |log residuals|", ask(path, where="in_published_fit == 1", objective="lad-log"),
               CHINCHILLA)  # fmt: skip
    optimum = {"A": 477.826, "B": 2143.417, "E": 1.817218, "alpha": 0.347310, "beta": 0.367172}
    yield Case("The same runs, Huber 1e-3, against its known optimum 0.001018274018",
               ask(path, where="in_published_fit == 1"), optimum)  # fmt: skip
    yield Case("All 245 runs, Huber 1e-3, known optimum 0.001826010523070", ask(path), {})
    yield Case("Muennighoff et al. 2023, R_D and R_N, Huber 1e-3, published objective 0.015825935",
               ask(DATA / "datablations.csv", form="muennighoff-2023", where="in_published_fit == 1", fix=MUENNIGHOFF,
                   columns={"U": "unique_tokens"}), {"R_D": 15.387756, "R_N": 5.309743})  # fmt: skip
    for name, values in (("c4", (113.69, 189.52, 0.24247, 1.50826)), ("redpajama", (166.21, 366.69, 0.27285, 1.83665))):
        where = f"train_set == '{name}' and in_published_loss_fit == 1"
        yield Case(f"Gadre et al. 2024, loss, {name}, squares, 5 runs",
                   ask(DATA / "gadre_testbed.csv", formula=GADRE, where=where, objective="ls",
                       columns={"loss": "loss_c4_val"}),
                   dict(zip(("a", "b", "q", "E"), values, strict=True)))  # fmt: skip
    for name, errors in (("c4", (0.84974, 2.0789, 0.75612)), ("redpajama", (0.85699, 2.20649, 0.71459))):
        yield Case(f"Gadre et al. 2024, error of 17 tasks, {name}, squares",
                   ask(DATA / "gadre_testbed.csv", formula="eps - k * exp(-gamma * loss_c4_val)", target="err_avg17",
                       where=f"train_set == '{name}' and in_published_error_fit == 1", objective="ls"),
                   dict(zip(("eps", "k", "gamma"), errors, strict=True)))  # fmt: skip
    yield Case("OLMo ladder, Huber 1e-3, 16 runs: error, the mean relative one",
               ask(DATA / "olmo_ladder.csv"), {"error": 0.00247})  # fmt: skip
    yield Case("Clark et al. 2022, Dense and S-Base, squares of log10 loss, 58 runs, known mean square 1.0417e-5",
               ask(DATA / "clark_routing_final.csv", formula=CLARK, objective="ls", target="log10(loss)",
                   where="in_published_fit == 1 and (router_type == 'Dense' or router_type == 'S-Base')",
                   start={"Es": 2.0, "Em": 200.0}),
               {"a": -0.08303, "b": -0.11804, "c": 0.00992, "d": 1.11358, "Es": 2.0746, "Em": 238.67})  # fmt: skip
    yield Case("OPT trajectories, squares of log", ask(DATA / "opt_trajectories.csv", objective="ls-log"),
               {"A": 91.03, "B": 25.77, "E": 0.848, "alpha": 0.2299, "beta": 0.1159})  # fmt: skip
    yield from porian()


def porian() -> Iterator[Case]:
    """Yield the five exponents of Porian et al. 2024: ln n_opt on ln flops, weighted."""
    for row in read("porian_published_fits.csv"):
        if row["fit"] == "bs_median_weighted" and row["published_in_table"] == "1":
            yield Case(f"Porian et al. 2024, {row['experiment']}",
                       ask(DATA / "porian_optima.csv", formula="k + a * log(flops)", target="log(n_opt)",
                           objective="ls", where=f"experiment == '{row['experiment']}' and n_opt > 0",
                           weights="w", columns={"w": "1 / ln_n_std**2"}),
                       {"a": float(row["n_exponent"])})  # fmt: skip


def ask(path: str | Path, **options: object) -> Request:
    """Return a question without refits."""
    return Request(str(path), draws=0)._replace(**options)


def show(case: Case, answer: Answer) -> None:
    """Print one fit beside what was published."""
    fit = answer.fit
    found = dict(zip(fit.names, map(float, fit.values), strict=True))
    certificate = fit.certificate
    print(f"\n{case.title}\n  {answer.runs.used} runs, {fit.objective.name}, gradient {certificate.gradient_norm:.1e}, "
          f"{certificate.starts_agreeing} ends agree")  # fmt: skip
    free = {coefficient.name for coefficient in fit.form.free}
    if free <= case.published.keys():
        at = objective_at(answer, case.published, case.request.target)
        verdict = compared(fit.value / at, [found[name] / case.published[name] for name in free])
        print(f"  objective: published {at:.10g}, reached {fit.value:.13g}; {verdict}")
    else:
        print(f"  objective reached {fit.value:.13g}")
    print(f"  per run {fit.value / answer.runs.used:.6g}, mean |residual| {np.abs(fit.residuals).mean():.6g}")
    if fit.objective.log:
        found["error"] = float(np.abs(np.expm1(fit.residuals)).mean())
    for name, value in found.items():
        if name in case.published:
            show_both(name, value, case.published[name])
        elif name in free:
            print(f"  {name:8} got {value:14.8g}")


def show_both(name: str, got: float, want: float) -> None:
    """Print what was got beside what was published."""
    print(f"  {name:8} got {got:14.8g}  published {want:12.8g}  relative difference {got / want - 1.0:+.2e}")


def compared(objective: float, constants: list[float]) -> str:
    """Return what the ratios of the objective and of the constants to the published ones mean."""
    if objective > 1.0 - TOLERANCE:
        return "the same" if objective < 1.0 + TOLERANCE else "REACHED IS HIGHER"
    close = all(abs(ratio - 1.0) < ROUNDED for ratio in constants)
    return "lower, by the rounding of the printed constants" if close else "lower: published is not this optimum"


def objective_at(answer: Answer, constants: dict[str, float], target: str) -> float:
    """Return the objective of a fit at other constants."""
    fit, columns = answer.fit, answer.runs.columns
    names = [name for name in dict.fromkeys(names_in(fit.form.tree)) if name not in constants]
    data = {name: np.asarray(columns[COLUMNS.get(name, name)]) for name in names}
    prediction = compile_tree(fit.form.tree)({**data, **constants})
    observed = np.asarray(columns[target])
    residuals = np.log(prediction) - np.log(observed) if fit.objective.log else prediction - observed
    weights = np.asarray(columns["w"]) if "w" in columns else np.ones(len(residuals))
    return float(fit.objective.value(residuals, weights))


def show_besiroglu() -> None:
    """Print exponent a and 95 % intervals, by Huber's rho and by what they minimised; theirs are of 4000 resamples."""
    for name in ("huber-log", "lad-log"):
        asked = ask(DATA / "chinchilla_epoch.csv", where="in_published_fit == 1", objective=name)
        fit = fit_runs(asked._replace(draws=1000)).fit
        at = dict(zip(fit.names, fit.values.tolist(), strict=True))
        low, high = np.quantile(fit.draws, [0.025, 0.975], axis=0)
        print(f"\nBesiroglu et al. 2024, {name}: exponent a, and 95 % intervals by {len(fit.draws)} resamples")
        show_both("a", at["beta"] / (at["alpha"] + at["beta"]), 0.513)
        for i, key in enumerate(fit.names):
            want = BESIROGLU[key]
            width = (high[i] - low[i]) / (want[1] - want[0]) - 1.0
            print(f"  {key:8} got {low[i]:9.5g} to {high[i]:9.5g}  published {want[0]:5g} to {want[1]:5g}  "
                  f"relative difference of the width {width:+.2f}")  # fmt: skip
    print("  ours are drawn in, by absolute values to sqrt(1 - sqrt(k / n)) = .92 of the spread (fit/uncertainty.py)")


def show_gadre() -> None:
    """Print how far the law of Gadre et al.'s five small RedPajama runs misses their two large ones."""
    print("\nGadre et al. 2024, loss, redpajama: relative errors of the two large runs, which the fit has not seen")
    where = "train_set == 'redpajama' and in_published_loss_fit == 1"
    asked = ask(DATA / "gadre_testbed.csv", formula=GADRE, where=where, objective="ls", columns={"loss": "loss_c4_val"})
    fit = fit_runs(asked).fit
    at = dict(zip(fit.names, fit.values.tolist(), strict=True))
    for row in read("gadre_testbed.csv"):
        ratio, want = HELD_OUT.get(row["model"], (0.0, 0.0))
        if row["train_set"] == "redpajama" and float(row["token_multiplier"]) == ratio:
            size = {"N": float(row["params"]), "D": float(row["tokens"])}
            error = float(compile_tree(fit.form.tree)({**size, **at})) / float(row["loss_c4_val"]) - 1.0
            show_both(f"{row['model']}, D/N {ratio:3g}:", abs(error), want)


def show_palm() -> None:
    """Print the minima of PaLM 2's table beside the report's column, and why they differ where they do."""
    print("\nPaLM 2 Technical Report, optimal params, isoflop method, 90 % intervals")
    answer = isoflop(DATA / "palm2_isoflop.csv", draws=4000)
    for row in answer.fit.minima.rows:
        want = PALM[row.flops]
        held = row.params_low < want < row.params_high
        interval = f"({row.params_low:.4g} to {row.params_high:.4g}, which {'holds' if held else 'DOES NOT HOLD'} it)"
        print(f"  {row.flops:.0e}  published {want:.4g}  got {row.params:.4g} {interval}")
        if not held:
            mine = [flops == row.flops for flops in answer.runs.columns["flops"]]
            sizes, losses = (np.asarray(answer.runs.columns[name])[mine] for name in ("params", "loss"))
            above = np.polyval(np.polyfit(np.log(sizes), losses, 2), math.log(want)) / row.loss - 1.0
            nearest = sizes[np.abs(np.log(sizes / want)).argmin()]
            print(f"    there the parabola through the four runs lies {above:.2%} above its minimum, and runs scatter "
                  f"by {answer.fit.noise:.2%};\n    the nearest run has {nearest:.3g} params, the lowest "
                  f"{sizes[losses.argmin()]:.3g}")  # fmt: skip
    print("  outside: no parabola in ln N through the report's table has its minimum at the report's column")


def show_porian_minima() -> None:
    """Print minima and exponents of Porian et al. by parabolas, beside theirs by interpolation."""
    print("\nPorian et al. 2024, isoflop method: minima in their standard errors, exponents with 90 % intervals")
    for row in read("porian_published_fits.csv"):
        if row["fit"] != "bs_median_weighted" or row["published_in_table"] != "1":
            continue
        mine = [own for own in read("porian_optima.csv") if own["experiment"] == row["experiment"] and own["n_opt"]]
        theirs = {float(own["flops"]): (float(own["n_opt"]), float(own["ln_n_std"])) for own in mine}
        answer = isoflop(DATA / "porian_isoflop.csv", where=f"experiment == '{row['experiment']}'", draws=1000)
        both = [(m, *theirs[m.flops]) for m in answer.fit.minima.rows if m.bracketed and m.flops in theirs]
        misses = np.abs([math.log(m.params / params) / error for m, params, error in both])
        within = f"{np.mean(misses < 1.0):.0%} within 1 and {np.mean(misses < 2.0):.0%} within 2 of their errors"
        a, ends = answer.exponents[0], [float(row[f"n_exponent_ci_{end}"]) for end in ("lo", "hi")]
        print(f"  {row['experiment']}\n    {len(both)} minima, {within}\n"
              f"    a  got {a.value:.4f} ({a.low:.3f} to {a.high:.3f})  published {float(row['n_exponent']):.4f} "
              f"({ends[0]:.3f} to {ends[1]:.3f})")  # fmt: skip
    print("  they interpolate through every run, parabolas smooth; their intervals of a are narrower than the errors\n"
          "  of .11 to .23 in ln N that they state make a line through minima (.014 to .023)")  # fmt: skip


def isoflop(path: Path, **options: object) -> FrontierAnswer:
    """Return the answer of the isoflop method."""
    return fit_runs(Request(str(path), method="isoflop")._replace(**options))


def show_nist() -> None:
    """Print the digits of NIST's certified problems from both starts, and the count."""
    print("\nNIST certified problems, squares: digits of coefficients and of standard errors")
    print("  problem    start 1     start 2")
    certified, data = read("nist_strd_certified.csv"), read("nist_strd_data.csv")
    good = 0
    names = list(dict.fromkeys(row["dataset"] for row in certified))
    for name in names:
        rows, runs = ([row for row in table if row["dataset"] == name] for table in (certified, data))
        pairs = [digits(rows, runs, start) for start in ("start1", "start2")]
        good += sum(pair[0] >= DIGITS and pair[1] >= ERROR_DIGITS for pair in pairs)
        print(f"  {name:10} " + "  ".join(f"{first:4.1f} {second:4.1f}" for first, second in pairs))
    print(f"  {good} of {2 * len(names)} reach {DIGITS:.0f} and {ERROR_DIGITS:.0f} digits")


def digits(certified: list[dict[str, str]], data: list[dict[str, str]], start: str) -> tuple[float, float]:
    """Return the fewest matching digits of any coefficient, and of any standard error; 0 where there is no fit."""
    names = ["x1", "x2"] if data[0]["x2"] else ["x1"]
    columns = {name if data[0]["x2"] else "x": [float(row[name]) for row in data] for name in names}
    target, _, formula = certified[0]["model"].rpartition("=")
    y = [math.log(float(row["y"])) if target else float(row["y"]) for row in data]
    form = formula_form(formula, list(columns), positive=None, target="y")
    form = settle(form, {}, {row["param"]: float(row[start]) for row in certified})
    try:
        fit = fit_form(form, sample_of(columns, y), Options(objective("ls"), 0))
    except ScalingError:
        return 0.0, 0.0
    rows = {row["param"]: row for row in certified}
    return tuple(
        min(agreement(float(got), float(rows[name][column])) for name, got in zip(fit.names, part, strict=True))
        for part, column in ((fit.values, "certified"), (fit.spread.errors, "certified_se"))
    )


def agreement(got: float, certified: float) -> float:
    """Return how many digits agree, at most 11: as many as are certified."""
    return max(0.0, -math.log10(max(abs(got / certified - 1.0), 1e-11)))


def read(name: str) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with open(DATA / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
