"""One fit: a formula whose free coefficients meet data. Everything becomes one tree, the residual of a run."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.duals import Dual
from scaling_cli.core.formulas import Node, names_in, substitute
from scaling_cli.fit.gradients import LOG, Tape, with_log_columns

Array = Any
TARGET = "target of the fit"


class Coefficient(NamedTuple):
    """A free coefficient: its name, where to start, and whether it is kept positive (fitted as its logarithm)."""

    name: str
    start: float
    positive: bool


class Problem:
    """Residuals of runs under a formula, as a function of the free coefficients' inner values.

    The inner value of a positive coefficient is its logarithm.

    Args:
        tree: the prediction, of data columns and coefficient names.
        coefficients: the free ones.
        data: columns as (n,) arrays, every other name of the tree.
        target: (n,), what is predicted.
        log: whether residuals are differences of logarithms.
    """

    def __init__(
        self, tree: Node, coefficients: Sequence[Coefficient], data: Mapping[str, Array], *, target: Array, log: bool
    ) -> None:
        self.coefficients = tuple(coefficients)
        self.names = tuple(coefficient.name for coefficient in coefficients)
        self.target = target
        self.log = log
        columns = [name for name in data if name in set(names_in(tree)) and bool(np.all(data[name] > 0.0))]
        inner: dict[str, Node] = {name: ("name", name) for name in names_in(tree)}
        self.linear_tape = Tape(with_log_columns(tree, columns), self.names)
        for coefficient in coefficients:
            if coefficient.positive:
                inner[coefficient.name] = ("exp", ("name", coefficient.name))
        prediction = with_log_columns(substitute(tree, inner), columns)
        observed: Node = ("name", TARGET)
        residual: Node = ("-", ("log", prediction) if log else prediction, observed)
        self.tape = Tape(residual, self.names)
        self.data = dict(data)
        self.data.update({LOG + name: np.log(data[name]) for name in columns})
        self.data[TARGET] = np.log(target) if log else target
        self.size = int(target.size)

    @property
    def starts(self) -> Array:
        """The inner values to start from, (k,)."""
        return self.inner(np.array([coefficient.start for coefficient in self.coefficients]))

    def inner(self, values: Array) -> Array:
        """Return inner values, (..., k), of coefficient values."""
        columns = [np.log(values[..., i]) if c.positive else values[..., i] for i, c in enumerate(self.coefficients)]
        return np.stack(columns, axis=-1)

    def outer(self, inner: Array) -> Array:
        """Return coefficient values, (..., k), of inner values."""
        with np.errstate(over="ignore"):  # a refit may have run away
            columns = [np.exp(inner[..., i]) if c.positive else inner[..., i] for i, c in enumerate(self.coefficients)]
        return np.stack(columns, axis=-1)

    def residuals(self, inner: Array) -> Array:
        """Return residuals, (batch, n), at inner values (batch, k)."""
        return np.broadcast_to(self.tape.values(self._given(inner))[-1], (len(inner), self.size))

    def jacobian(self, inner: Array) -> tuple[Array, Array]:
        """Return residuals (batch, n) and their derivatives (batch, k, n) at inner values (batch, k)."""
        residuals, partials = self.tape.gradient(self._given(inner))
        shape = (len(inner), self.size)
        jacobian = np.stack([np.broadcast_to(part, shape) for part in partials], axis=1)
        return np.broadcast_to(residuals, shape), jacobian

    def curvature(self, inner: Array) -> Array:
        """Return the second derivatives of the residuals, (batch, k, k, n), at inner values (batch, k)."""
        shape = (len(inner), self.size)
        rows = []
        for name in self.names:
            given = self._given(inner)
            given[name] = Dual(given[name], 1.0)
            _, partials = self.tape.gradient(given)
            slopes = [part.slope if isinstance(part, Dual) else 0.0 for part in partials]
            rows.append(np.stack([np.broadcast_to(slope, shape) for slope in slopes], axis=1))
        return np.stack(rows, axis=1)

    def predictions(self, inner: Array, data: Mapping[str, Array] | None = None) -> Array:
        """Return predictions, (batch, n), for these runs or for others."""
        residuals = self if data is None else self.on(data)
        found = residuals.residuals(inner) + residuals.data[TARGET]
        return np.exp(found) if self.log else found

    def on(self, data: Mapping[str, Array]) -> "Problem":
        """Return the same formula on other runs, with a target of one."""
        other = object.__new__(Problem)
        other.__dict__.update(self.__dict__)
        size = int(next(iter(data.values())).size)
        logs = {LOG + name: np.log(data[name]) for name in data if LOG + name in self.data}
        other.data = {**data, **logs, TARGET: np.zeros(size)}
        other.size = size
        return other

    def with_targets(self, targets: Array) -> "Problem":
        """Return the same runs with a target, as residuals have it, for each fit of a batch: (batch, n)."""
        other = object.__new__(Problem)
        other.__dict__.update(self.__dict__)
        other.data = {**self.data, TARGET: targets}
        return other

    def part(self, fits: Array) -> "Problem":
        """Return the problem of some fits of a batch, by their numbers."""
        targets = self.data[TARGET]
        return self if targets.ndim == 1 else self.with_targets(targets[fits])

    def _given(self, inner: Array) -> dict[str, Any]:
        return {**self.data, **{name: inner[:, i : i + 1] for i, name in enumerate(self.names)}}
