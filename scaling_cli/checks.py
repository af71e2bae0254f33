"""Budgets in files, checked and compared: each run planned by its law, held to its policy, set beside a baseline."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scaling_cli.budgets import Budget, decay, demands_of
from scaling_cli.core.answers import Plan
from scaling_cli.core.cases import Basis, Case, Numbers, numbers_of
from scaling_cli.core.checking import check, refuse_nothing
from scaling_cli.core.comparisons import mark
from scaling_cli.core.costs import priced
from scaling_cli.core.demands import Demands
from scaling_cli.core.findings import DENY, Change, Checked, Finding
from scaling_cli.core.knowns import check_knowns
from scaling_cli.core.plans import Planner
from scaling_cli.core.policies import LEVELS, Policy
from scaling_cli.core.repeats import Decay, RepeatedSurface
from scaling_cli.core.sheets import Sheet, Spec
from scaling_cli.core.surface import Surface
from scaling_cli.errors import FileError, InputError, NoAnswer
from scaling_cli.files.budget_sides import Saved, read_side
from scaling_cli.files.catalogue import load_law

NONE = "none"  # stands for a baseline that is not there yet
Key = tuple[object, ...]
Known = dict[str, float]


class Difference(NamedTuple):
    """What changed between two budgets, which rules of the new one that breaks, and the numbers of its runs."""

    changes: tuple[Change, ...]
    broken: tuple[Finding, ...]
    plans: tuple[Mapping[str, float | str | None], ...]


class Side(NamedTuple):
    """A budget with its runs planned."""

    cases: tuple[Case, ...] = ()
    policy: Policy = Policy()
    file: str = ""

    @property
    def numbers(self) -> dict[str, Numbers]:
        """The numbers of the runs by name."""
        return {case.name: case.numbers for case in self.cases}


def check_file(path: str, *, baseline: str | None = None, fail_on: str = DENY) -> Checked:
    """Return what a check of a budget file finds.

    Args:
        path: the file; '-' is standard input.
        baseline: a budget file or a saved answer to compare with; "none" where there is none yet.
        fail_on: the level from which a finding fails: deny, warn, or never.

    Raises: FileError or InputError for what is wrong, or where there is nothing to check; NoAnswer where a law cannot
        answer for a run.
    """
    side = open_side(path)
    before = None if baseline is None else open_side(baseline, side.policy.laws).numbers
    checked = check(side.cases, side.policy, baseline=before, fail_on=fail_on, file=side.file)
    if path != "-":
        return checked
    findings = tuple(finding._replace(file="") for finding in checked.findings)  # standard input is no file to point at
    return checked._replace(findings=findings, file="")


def check_run(spec: Spec, policy: Policy, *, fail_on: str = DENY) -> Checked:
    """Return what a check of one run finds; see `check_file`."""
    refuse_nothing(bool(spec.known or spec.config), policy)
    return check(plan_sheet(Sheet((spec,), policy)).cases, policy, fail_on=fail_on)


def diff_files(base: str, head: str, *, fail_on: Sequence[str] = ()) -> Difference:
    """Return what changed between two budget files or saved answers.

    Args:
        base: the budget before; "none" where there was none.
        head: the budget after; "none" where there is none any more.
        fail_on: rules of head's policy by name, such as "max dollars", or levels: those that head breaks and base keeps
            are handed back.

    Raises: as `check_file`; InputError for a rule that head's policy does not have.
    """
    from scaling_cli.core.differences import differences, newly_broken

    after = open_side(head)
    before = open_side(base, after.policy.laws)
    names = frozenset(_known_rules(after, fail_on))
    broken = newly_broken(before.cases, after.cases, policy=after.policy, names=names, file=after.file) if names else ()
    plans = tuple({"run": case.name, **case.numbers} for case in after.cases)
    return Difference(differences(before.numbers, after.numbers), broken, plans)


def _known_rules(after: Side, fail_on: Sequence[str]) -> Sequence[str]:
    """Return names of rules, or levels, as they were given; InputError for one that the policy does not have."""
    known = dict.fromkeys(rule.name for rule in after.policy.rules)
    for name in fail_on:
        if name not in (*known, *LEVELS):
            hint = f"expected deny, warn or a rule of {after.file or 'the head'}: {', '.join(known) or 'it has none'}"
            raise InputError(f"--fail-on is {name[:40]!r}", hint)
    return fail_on


def open_side(path: str, laws: Sequence[str] = ()) -> Side:
    """Return a budget file with its runs planned, or a saved answer; nothing where the path is "none".

    Args:
        path: the file; '-' is standard input.
        laws: whose disagreement counts where the file names none.
    """
    if path == NONE:
        return Side()
    read = read_side(path)
    if isinstance(read, Saved):
        return Side(tuple(Case(name, numbers) for name, numbers in read.runs.items()), file=read.file)
    return plan_sheet(read, laws)


def plan_sheet(sheet: Sheet, laws: Sequence[str] = ()) -> Side:
    """Return a budget with its runs planned; errors name the run, its file and line."""
    planners = Planners(sheet.policy.laws or laws)
    return Side(tuple(_planned(planners, spec, sheet.file) for spec in sheet.specs), sheet.policy, sheet.file)


def _planned(planners: "Planners", spec: Spec, file: str) -> Case:
    try:
        return planners.case(spec)
    except InputError as error:
        if not file:
            raise
        texts = [_OPTION.sub(_as_key, text) for text in (error.message, *error.hints)]
        raise FileError(file, f"runs.{spec.name}: {texts[0]}", *texts[1:], line=spec.line) from None
    except NoAnswer as error:
        where = f"{file} line {spec.line}: runs.{spec.name}: " if file else ""
        raise NoAnswer(where + error.message, *error.hints) from None


def _as_key(option: re.Match[str]) -> str:
    """Return an option as the key of a file that says the same."""
    return option[1].replace("-", "_")


_OPTION = re.compile(r"--([a-z][a-z-]*)")


class Planners:
    """Plans the runs of a budget; each law is bound, each machine looked up and each file read once."""

    def __init__(self, laws: Sequence[str] = ()) -> None:
        self.laws = laws
        self._planners: dict[Key, Planner] = {}
        self._demands: dict[Key, tuple[float | None, Demands]] = {}
        self._params: dict[tuple[str, str], float] = {}
        self._marks: dict[tuple[int, bool], tuple[str, ...]] = {}
        self._decay: Decay | None = None

    def planner(self, law: str, settings: Mapping[str, float] | None = None) -> Planner:
        """Return a law with its variables set, ready for questions."""
        key = (law, *sorted((settings or {}).items()))
        if key not in self._planners:
            self._planners[key] = Planner(load_law(law), settings)
        return self._planners[key]

    def case(self, spec: Spec) -> Case:
        """Return a run with its numbers.

        Raises: InputError, FileError and NoAnswer as planning does.
        """
        planner = self.planner(spec.law, spec.settings)
        amount, demands = self.demands(spec)
        known = {} if amount is None else {"flops": amount}
        known |= {name: float(value) for name, value in spec.known.items() if name != "flops"}
        if spec.config:
            known["params"] = self.config_params(spec.config, planner.law.params_kind)
        surface = self.surface(planner, demands)
        plan = self.plan(planner, surface, known, demands)
        if plan.flops is None or plan.params is None or plan.tokens is None:
            raise NoAnswer(f"{plan.law} says no params and tokens of this run", *plan.notes[:1])
        compared = tuple(self.planner(law) for law in self.laws)
        basis = Basis(planner, surface, demands, tuple(known), compared)
        notes = (*plan.notes, *plan.outside, *self.marks(planner, plan))
        return Case(spec.name, numbers_of(plan, basis), spec.line, notes, basis)

    def marks(self, planner: Planner, plan: Plan) -> tuple[str, ...]:
        """Return which relations behind a plan no published figure reproduces, worked out once for each law."""
        key = (id(planner), plan.loss is None)
        if key not in self._marks:
            self._marks[key] = mark(planner.law, plan)
        return self._marks[key]

    def plan(self, planner: Planner, surface: Surface, known: Known, demands: Demands) -> Plan:
        """Return the plan of a run: evaluated where two knowns fix it, else planned within its demands."""
        is_fixed = len(known) == 2 and "loss" not in known
        if is_fixed and not demands.limits:
            if surface is planner.surface:
                return priced(planner.plan(known), demands)
            return priced(_evaluated(planner, surface, known), demands)
        if demands.is_constrained:
            from scaling_cli.core.within import plan_within  # a fixed run asks no search

            return plan_within(planner.law, known, planner.settings, demands, self.decay())
        return priced(planner.plan(known), demands)

    def surface(self, planner: Planner, demands: Demands) -> Surface:
        """Return the loss surface of the unique tokens: the law's own where it has them, else Muennighoff's way."""
        unique = demands.unique_tokens
        if unique is None or not planner.surface.has_loss:
            return planner.surface
        if "U" in planner.law.variables:
            if "U" in planner.settings:
                raise InputError("--unique-tokens and --set U are both given", "give one of them")
            return Surface(planner.law, {**planner.settings, "U": unique})
        return RepeatedSurface(planner.law, planner.settings, unique_tokens=unique, decay=self.decay())

    def demands(self, spec: Spec) -> tuple[float | None, Demands]:
        """Return the compute of a run, if it says any, and its demands."""
        flops = spec.known.get("flops")
        machine = flops if isinstance(flops, str) else None
        budget = {
            name: tuple(value.items()) if isinstance(value, dict) else value for name, value in spec.budget.items()
        }
        key = (machine, *sorted(budget.items()))
        if key not in self._demands:
            self._demands[key] = demands_of(Budget(**spec.budget), machine)
        amount, demands = self._demands[key]
        return flops if isinstance(flops, float) else amount, demands

    def decay(self) -> Decay:
        """Return how repeats lose their worth."""
        if self._decay is None:
            self._decay = decay()
        return self._decay

    def config_params(self, path: str, kind: str) -> float:
        """Return the exact params of a config.json as a law counts them."""
        from scaling_cli.files.configs import count_config  # few runs name one

        if (path, kind) not in self._params:
            counts = count_config(path)
            by_kind = {"non_embedding": counts.params_non_embedding, "active": counts.params_active}
            self._params[path, kind] = float(by_kind.get(kind, counts.params_total))
        return self._params[path, kind]


def _evaluated(planner: Planner, surface: Surface, known: Known) -> Plan:
    """Return a fixed run on another surface than its planner's, compared with the optimum of unlimited data."""
    bare = planner.answer(check_knowns(known))
    loss = surface.loss_of(bare.params, bare.tokens)
    return planner.finished(planner.against_optimum(bare._replace(loss=loss)))
