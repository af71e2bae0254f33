"""Tables of training runs: their numbers, and everything about them that is worth saying."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from scaling_cli.core import runs as about
from scaling_cli.core.runs import COMPUTE, ROLES, Runs, first_bad, listed_rows
from scaling_cli.errors import FileError, InputError
from scaling_cli.files.cells import Cells, Quantities
from scaling_cli.files.columns import Columns
from scaling_cli.files.headers import Header, spelt
from scaling_cli.files.questions import Question
from scaling_cli.files.sections import shown
from scaling_cli.files.selection import OUTSIDE, Selection
from scaling_cli.files.tables import open_table

_Cell = TypeVar("_Cell", float, str)

FEW_VALUES = 5  # of a column, how many a hint names
UNFINISHED = {"crashed", "failed", "killed", "pending", "preempted", "preempting", "queued", "running", "scheduled"}


def read_runs(
    path: str,
    *,
    columns: Mapping[str, str] | None = None,
    where: str = "",
    needed: Sequence[str] = ("params", "tokens", "loss"),
    extra: Sequence[str] = (),
    weights: str = "",
    group: str = "",
    flops_from: str = "",
) -> Runs:
    """Return the training runs in a table: CSV, TSV, JSON Lines or Parquet.

    Of params, tokens and flops a missing one is derived by C = 6ND. Rows without a finite target, rows of weight 0 and
    exact duplicates are dropped, and counted. Cells are numbers as people write them: 70B, 1.4T.

    Args:
        path: the table; '-' is standard input.
        columns: for a quantity, which column it is, or a formula of columns: {"params": "1e9*size"}.
        where: which rows to take, such as "flops < 1e21 and subset == 'hot'"; `row` is a row's number, from 1 below
            the header, unless a column is named so.
        needed: the quantities that each run must have, or columns by name; the last is the target.
        extra: more of them.
        weights: one more, which says how much each run counts.
        group: a column whose texts say which runs belong together.
        flops_from: 6nd works flops out from params and tokens even where the table has them.

    Raises:
        FileError: the table cannot be read, lacks a column, or has a value that cannot be; it names the row.
        InputError: columns, where or flops_from cannot be understood.
    """
    if flops_from.lower() not in ("", "6nd"):
        raise InputError(f"--flops-from is {shown(flops_from)}", "expected 6nd; without it flops are taken as given")
    if flops_from and "flops" in (columns or {}):
        raise InputError("--flops-from and --columns flops are both given", "give one of them")
    with open_table(path) as table:
        meaning = Columns(Header(table.path, table.header), columns or {}, recompute=bool(flops_from))
        question = Question(meaning, needed, extra=extra, where=where, weights=weights, group=group)
        cells = Cells(table, question.kinds(), labels={*question.labels.values(), *question.states})
        sha256 = table.sha256()
    if not len(cells):
        raise FileError(table.path, "has no rows below its header", "expected one row for each training run")
    quantities = Quantities(meaning, cells)
    selection = Selection(question, cells, quantities=quantities)
    _require_rows(question, selection, cells)
    numbers = _numbers(question, quantities, rows=selection.rows)
    return Runs(
        columns=numbers,
        labels=_texts(question, cells, rows=selection.rows),
        rows=[row + 1 for row in selection.rows],
        read=len(cells),
        used=len(selection.rows),
        dropped=tuple(selection.dropped),
        notes=tuple(_notes(question, selection, cells=cells, numbers=numbers)),
        path=path,
        sha256=sha256,
    )


def _require_rows(question: Question, selection: Selection, cells: Cells) -> None:
    if not selection.rows:
        reasons = "; ".join(f"{dropped.count} {dropped.reason}" for dropped in selection.dropped)
        hints = _values(question, cells) if [dropped.reason for dropped in selection.dropped] == [OUTSIDE] else ()
        problem = f"has no rows left: {reasons}"
        raise FileError(question.columns.header.path, problem, *hints, "expected at least one training run")


def _values(question: Question, cells: Cells) -> list[str]:
    """Say what stands in the columns that the condition compares with texts."""
    names = question.condition.labels if question.condition else ()
    found = {name: dict.fromkeys(cells.texts[question.labels[name]]) for name in names}
    said = {name: ", ".join(map(shown, list(values)[:FEW_VALUES])) for name, values in found.items()}
    return [f"{name} is {said[name]}{', ...' if len(found[name]) > FEW_VALUES else ''}" for name in found]


def _numbers(question: Question, quantities: Quantities, *, rows: Sequence[int]) -> dict[str, list[float]]:
    """Return the numbers of each quantity; refuse what cannot be, leave aside what cannot be and nobody asked for."""
    numbers = {}
    for name in (*question.names, *question.beside):
        numbers[name] = _pick(quantities[name], rows)
        bad = first_bad(numbers[name], positive=name in ROLES)
        if bad is not None and name in question.names:
            quantities.refuse(name, rows[bad])
        if bad is not None:
            del numbers[name]
    return numbers


def _texts(question: Question, cells: Cells, *, rows: Sequence[int]) -> dict[str, list[str]]:
    """Return the texts of each label."""
    texts = {name: _pick(cells.texts[position], rows) for name, position in question.labels.items()}
    if "" in texts.get(question.group, ()):
        row = rows[texts[question.group].index("")] + 1
        raise FileError(
            question.columns.header.path, f"row {row}: {shown(question.group)} is empty", "expected a group"
        )
    return texts


def _pick(values: list[_Cell], rows: Sequence[int]) -> list[_Cell]:
    return values if len(rows) == len(values) else [values[row] for row in rows]


def _notes(
    question: Question, selection: Selection, *, cells: Cells, numbers: Mapping[str, list[float]]
) -> Iterator[str]:
    columns, rows = question.columns, selection.rows
    if question.condition:
        outside = sum(dropped.count for dropped in selection.dropped if dropped.reason == OUTSIDE)
        yield f"{len(cells) - outside} of {len(cells)} rows satisfy {question.condition.text}"
    yield from (str(dropped) for dropped in selection.dropped if dropped.reason != OUTSIDE)
    yield from _commented(cells, rows)
    yield from _origins(columns, numbers)
    for name in question.beside:
        if name not in numbers:
            yield f"{name} is left aside: not every run has it"
    given = {role: columns.source(role) for role in ROLES if role in numbers and role not in columns.derived}
    if all(role in given for role in COMPUTE) and (ratio := about.compute_ratio(numbers)):
        yield about.compute_note(ratio)
    if measure := columns.header.other_measures([columns.heading(question.target)]):
        yield f"{question.target}: {measure[0]}"
        given.pop(question.target, None)
    yield from about.unit_notes(numbers, given, {role: columns.heading(role) for role in given})
    yield from about.replicate_note(numbers, [name for name in question.names if name != question.target])
    for position in question.states:
        yield from _unfinished(columns.header.names[position], _pick(cells.texts[position], rows))


def _commented(cells: Cells, rows: Sequence[int]) -> Iterator[str]:
    """Say which runs begin with #, where not all do: those are named so."""
    marked = sorted(set(cells.marked).intersection(rows)) if len(cells.marked) < len(cells) else []
    if marked:
        found, each = ("row begins", "it counts as a run") if len(marked) == 1 else ("rows begin", "they count as runs")
        listed = listed_rows([row + 1 for row in marked])
        yield f"{len(marked)} {found} with # ({listed}): {each}; a line that is removed leaves its run out"


def _origins(columns: Columns, numbers: Mapping[str, list[float]]) -> Iterator[str]:
    """Say which columns have been taken for what, and what has been worked out."""
    for role, position in columns.sources.items():
        if role in numbers and role not in columns.chosen and columns.header.names[position] != role:
            yield f"{role}: column {shown(columns.header.names[position])}"
    for name in columns.derived:
        if name in numbers:
            others = " and ".join(other for other in COMPUTE if other != name)
            yield f"{name}: worked out from {others}, by C = 6ND"


def _unfinished(column: str, states: Sequence[str]) -> Iterator[str]:
    """Ask about runs that a tracker says have not come to their end."""
    counts = Counter(state for state in states if state.casefold() in UNFINISHED)
    if counts:
        found = ", ".join(f"{count} {shown(state)}" for state, count in sorted(counts.items()))
        wanted = " and ".join(f"{spelt(column)} != {state!r}" for state in sorted(counts))
        yield f'not every run has come to its end ({found}): --where "{wanted}" leaves those out'
