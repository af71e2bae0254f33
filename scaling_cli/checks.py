"""Budgets in files, checked and compared: each run planned by its law, held to its policy, set beside a baseline."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scaling_cli.budgets import Budget, decay, demands_of
from scaling_cli.core.answers import Plan
from scaling_cli.core.cases import Basis, Case, numbers_of
from scaling_cli.core.checking import check, refuse_nothing
from scaling_cli.core.comparisons import mark
from scaling_cli.core.costs import priced
from scaling_cli.core.demands import Demands
from scaling_cli.core.differences import Side, compare, fill_rates
from scaling_cli.core.findings import DENY, Checked, Difference, Finding
from scaling_cli.core.mixtures import check_served
from scaling_cli.core.plans import Planner
from scaling_cli.core.policies import Policy
from scaling_cli.core.repeats import Decay, RepeatedSurface
from scaling_cli.core.sheets import Sheet, Spec, as_keys, deciding_line, key_named
from scaling_cli.core.surface import Surface
from scaling_cli.errors import FileError, InputError, NoAnswer
from scaling_cli.files.budget_sides import Saved, read_side
from scaling_cli.files.catalogue import is_file, load_law

if TYPE_CHECKING:
    from scaling_cli.core.counted import Counted

EXAMPLE_GPUS = 512
NONE = "none"  # stands for a baseline that is not there yet
Key = tuple[object, ...]
Known = dict[str, float]


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
    base = Side() if baseline is None else open_side(baseline, side.policy.laws)
    base, notes = fill_rates(base, side, side.policy.rules)
    before = None if baseline is None else base.numbers
    checked = check(side.cases, side.policy, baseline=before, fail_on=fail_on, file=side.file)
    checked = checked._replace(notes=(*notes, *checked.notes), fail_on=fail_on, rules=side.rule_names)
    return checked if path != "-" else checked._replace(findings=_nowhere(checked.findings), file="")


def _nowhere(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings without their file: standard input is none to point at."""
    return tuple(finding._replace(file="") for finding in findings)


def check_run(spec: Spec, policy: Policy, *, fail_on: str = DENY) -> Checked:
    """Return what a check of one run finds; see `check_file`."""
    if policy.rules and "gpu" in spec.budget and not (spec.known or spec.config):
        hint = f'--max is what it must keep; say what the run takes: --flops "{_timed(spec)}"'
        raise InputError("nothing to check: no run is given", hint)
    refuse_nothing(bool(spec.known or spec.config), policy)
    side = plan_sheet(Sheet((spec,), policy))
    return check(side.cases, policy, fail_on=fail_on)._replace(fail_on=fail_on, rules=side.rule_names)


def _timed(spec: Spec) -> str:
    """Return a run on the machine of a spec, as an example."""
    card, gpus = str(spec.budget["gpu"]), spec.budget.get("gpus", EXAMPLE_GPUS)
    count = f"{gpus:g}" if isinstance(gpus, float | int) else gpus
    return f"{count}x{'H100' if is_file(card) else card.upper()} for 30d"


def diff_files(base: str, head: str, *, fail_on: Sequence[str] = ()) -> Difference:
    """Return what changed between two budget files or saved answers.

    Args:
        base: the budget before; "none" where there was none.
        head: the budget after; "none" where there is none any more.
        fail_on: rules of head's policy by name, such as "max dollars", or levels: those that head breaks, and that base
            keeps when it is held to the same policy, are handed back.

    Raises: as `check_file`; InputError for a rule that head's policy does not have.
    """
    after = open_side(head)
    found = compare(open_side(base, after.policy.laws), after, fail_on=fail_on)
    return found if head != "-" else found._replace(broken=_nowhere(found.broken), file="")


def open_side(path: str, laws: Sequence[str] = ()) -> Side:
    """Return a budget file with its runs planned, or a saved answer; nothing where the path is "none".

    Args:
        path: the file; '-' is standard input.
        laws: whose disagreement counts instead of those of the file's own policy.
    """
    if path == NONE:
        return Side()
    read = read_side(path)
    if isinstance(read, Saved):
        cases = tuple(Case(name, numbers) for name, numbers in read.runs.items())
        return Side(cases, file=read.file, findings=read.findings, rules=read.rules)
    return plan_sheet(read, laws)


def plan_sheet(sheet: Sheet, laws: Sequence[str] = ()) -> Side:
    """Return a budget with its runs planned; errors name the run, its file and line."""
    planners, policy = Planners(laws or sheet.policy.laws), sheet.policy
    try:
        planners.compared()
    except (InputError, FileError) as error:
        if not sheet.file or not policy.laws:
            raise
        texts = map(as_keys, (error.message.removeprefix("--law: "), *error.hints))
        raise FileError(sheet.file, f"policy.laws: {next(texts)}", *texts, line=policy.laws_line or None) from None
    return Side(tuple(_planned(planners, spec, sheet.file) for spec in sheet.specs), policy, sheet.file)


def _planned(planners: "Planners", spec: Spec, file: str) -> Case:
    try:
        return planners.case(spec)
    except (InputError, FileError) as error:
        if not file:
            raise
        raise _in_file(error, spec, file) from None
    except NoAnswer as error:
        line = deciding_line(spec.lines, "loss") or spec.line
        where = f"{file} line {line}: runs.{spec.name}: " if file else ""
        message, *hints = (as_keys(text) if file else text for text in (error.message, *error.hints))
        raise NoAnswer(where + message, *hints) from None


def _in_file(error: InputError | FileError, spec: Spec, file: str) -> FileError:
    """Return an error of a run as one of its budget file, at the key that it speaks of."""
    texts = (error.message, *error.hints)
    if isinstance(error, FileError):
        named = {"config": spec.config, "law": spec.law, **spec.budget}
        key = next((key for key, value in named.items() if value == error.path), "")
        message, *hints = (f"{key}: {texts[0]}" if key else texts[0], *texts[1:])
    else:
        key = key_named(texts[0], spec.lines)
        message, *hints = map(as_keys, texts)
    return FileError(file, f"runs.{spec.name}: {message}", *hints, line=spec.lines.get(key, spec.line))


@contextmanager
def _about(option: str) -> Iterator[None]:
    """Name the option that an InputError of what is done inside is about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{option}: {error.message}", *error.hints) from None


class Planners:
    """Plans the runs of a budget; each law is bound, each machine looked up and each file read once."""

    def __init__(self, laws: Sequence[str] = ()) -> None:
        self.laws = laws
        self._planners: dict[Key, Planner] = {}
        self._surfaces: dict[Key, Surface] = {}
        self._demands: dict[Key, tuple[float | None, Demands]] = {}
        self._counted: dict[str, Counted] = {}
        self._marks: dict[tuple[int, bool], tuple[str, ...]] = {}
        self._decay: Decay | None = None

    def planner(self, law: str, settings: Mapping[str, float] | None = None) -> Planner:
        """Return a law with its variables set, ready for questions."""
        key = (law, *sorted((settings or {}).items()))
        if key not in self._planners:
            with _about("--law"):
                loaded = load_law(law)
            with _about("--set"):
                self._planners[key] = Planner(loaded, settings)
        return self._planners[key]

    def compared(self) -> tuple[Planner, ...]:
        """Return the laws whose disagreement counts.

        Raises: InputError where they are one law by several names.
        """
        found = tuple(self.planner(law) for law in self.laws)
        if len(found) > 1 and len({planner.law.id for planner in found}) == 1:
            problem = f"{' and '.join(self.laws)} are one law, which cannot disagree with itself"
            raise InputError(problem, "name two: --law chinchilla --law openai")
        return found

    def case(self, spec: Spec) -> Case:
        """Return a run with its numbers.

        Raises: InputError, FileError and NoAnswer as planning does.
        """
        if spec.config and "params" in spec.known:
            raise InputError("--config and --params are both given", "leave one out: a config says its params")
        planner = self.planner(spec.law, spec.settings)
        counted = self.counted(spec.config) if spec.config else None
        stored = None if counted is None else counted.stored
        amount, demands = self.demands(spec, stored)
        known = {} if amount is None else {"flops": amount}
        known |= {name: float(value) for name, value in spec.known.items() if name != "flops"}
        if counted is not None:
            known["params"] = counted.params_for(planner.law)
        surface, compared = self.surface(planner, demands), self.compared()
        basis = Basis(planner, surface, demands, spec, self.case, compared, stored)
        plan = self.plan(basis, known)
        if plan.flops is None or plan.params is None or plan.tokens is None:
            raise NoAnswer(f"{plan.law} says no params and tokens of this run", *plan.notes[:1])
        of_file = counted.notes([planner.law], spec.settings) if counted and counted.is_mixture else ()
        notes = (*plan.notes, *plan.outside, *self.marks(planner, plan), *of_file)
        return Case(spec.name, numbers_of(plan, basis), spec.line, notes, basis)

    def marks(self, planner: Planner, plan: Plan) -> tuple[str, ...]:
        """Return which relations behind a plan no published figure reproduces, worked out once for each law."""
        key = (id(planner), plan.loss is None)
        if key not in self._marks:
            self._marks[key] = mark(planner.law, plan)
        return self._marks[key]

    def plan(self, basis: Basis, known: Known) -> Plan:
        """Return the plan of a run: evaluated where two knowns fix it, else planned within its demands."""
        planner, demands = basis.planner, basis.demands
        is_fixed = len(known) == 2 and "loss" not in known
        if is_fixed and not demands.limits:
            check_served(planner.law, demands)
            return priced(planner.on(basis.surface).plan(known), demands, basis.weighed)
        if demands.is_constrained:
            from scaling_cli.core.within import plan_within  # a fixed run asks no search

            return plan_within(planner.law, known, planner.settings, demands, self.decay())
        return priced(planner.plan(known), demands, basis.weighed)

    def surface(self, planner: Planner, demands: Demands) -> Surface:
        """Return the loss surface of the unique tokens: the law's own where it has them, else Muennighoff's way."""
        unique = demands.unique_tokens
        if unique is None or not planner.surface.has_loss:
            return planner.surface
        key = (id(planner), unique)
        if key not in self._surfaces:
            self._surfaces[key] = self._limited(planner, unique)
        return self._surfaces[key]

    def _limited(self, planner: Planner, unique: float) -> Surface:
        if "U" in planner.law.variables:
            if "U" in planner.settings:
                raise InputError("--unique-tokens and --set U are both given", "give one of them")
            return Surface(planner.law, {**planner.settings, "U": unique})
        return RepeatedSurface(planner.law, planner.settings, unique_tokens=unique, decay=self.decay())

    def demands(self, spec: Spec, stored: float | None = None) -> tuple[float | None, Demands]:
        """Return the compute of a run, if it says any, and its demands; `stored` are all the params of its config."""
        flops = spec.known.get("flops")
        machine = flops if isinstance(flops, str) else None
        budget = {
            name: tuple(value.items()) if isinstance(value, dict) else value for name, value in spec.budget.items()
        }
        key = (machine, stored, *sorted(budget.items()))
        if key not in self._demands:
            self._demands[key] = demands_of(Budget(**spec.budget), machine, stored=stored)
        amount, demands = self._demands[key]
        return flops if isinstance(flops, float) else amount, demands

    def decay(self) -> Decay:
        """Return how repeats lose their worth."""
        if self._decay is None:
            self._decay = decay()
        return self._decay

    def counted(self, path: str) -> "Counted":
        """Return the exact params of a config.json."""
        from scaling_cli.core.counted import count_shape  # few runs name one
        from scaling_cli.files.configs import read_config

        if path not in self._counted:
            config = read_config(path)
            self._counted[path] = count_shape(path, config.shape, config.notes)
        return self._counted[path]
