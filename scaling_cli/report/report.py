"""An answer, and how people want to see it: data only, no rendering.

NamedTuples: defining one takes a sixth of the time that a frozen dataclass takes, at every start.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

Row = Mapping[str, object]
"""Values under the vocabulary's keys: None, bool, int, float, str, and lists and mappings of these."""


class Column(NamedTuple):
    """One column of a table.

    Args:
        key: which value of a row.
        label: the words in the header.
        kind: how `format_quantity` rounds the numbers; 'text' for words.
        unit: shown in the header; empty where the label says it all.
    """

    key: str
    label: str
    kind: str = "text"
    unit: str = ""

    @property
    def header(self) -> str:
        """The label with its unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def is_numeric(self) -> bool:
        """Whether cells are numbers: aligned right, never broken."""
        return self.kind != "text"


class Table(NamedTuple):
    """A view of some values for people: rounded, with units in every header; `remark` is a line below."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    remark: str = ""


class Plot(NamedTuple):
    """Points around zero for the terminal: x > 0 on a scale of log10, y on a plain one, (n,) each."""

    title: str
    x: Iterable[float]
    y: Iterable[float]


class Report(NamedTuple):
    """The answer of one command.

    Args:
        schema: name and version of the JSON, 'scaling.plan/1'.
        rows: the data in full precision, for JSON and CSV.
        notes: what the reader must know, a sentence each.
        tables: views for the terminal and markdown.
        extra: further keys of the JSON, beside rows.
        plots: pictures for the terminal, below the tables.
        keys: of the rows, for CSV where there are none.
    """

    schema: str
    rows: Sequence[Row]
    notes: Sequence[str]
    tables: Sequence[Table]
    extra: Row = MappingProxyType({})
    plots: Sequence[Plot] = ()
    keys: Sequence[str] = ()
