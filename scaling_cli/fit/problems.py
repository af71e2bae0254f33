"""One fit: a formula whose free coefficients meet data. Everything becomes one tree, the residual of a run."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scaling_cli.core.duals import Dual
from scaling_cli.core.formulas import Node, names_in, substitute
from scaling_cli.fit.gradients import Tape
from scaling_cli.fit.rewriting import Rewriter

Array = Any
FEW = 4.0  # roundings on the way to a residual
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
        self.positive = np.array([coefficient.positive for coefficient in coefficients], dtype=bool)
        self.target = target
        self.log = log
        self._columns = Rewriter(data)
        positive = {c.name: ("exp", ("name", c.name)) if c.positive else ("name", c.name) for c in self.coefficients}
        inner = {name: positive.get(name, ("name", name)) for name in names_in(tree)}
        prediction = substitute(tree, inner)
        observed: Node = ("name", TARGET)
        self.linear_tape = Tape(self._columns.rewrite(tree), self.names)
        fast = self._columns.rewrite(prediction)
        self.tape = Tape(("-", ("log", fast) if log else fast, observed), self.names)
        self.data = {**self._columns.columns(data), TARGET: np.log(target) if log else target}
        self.size = int(target.size)

    @property
    def starts(self) -> Array:
        """The inner values to start from, (k,)."""
        return self.inner(np.array([coefficient.start for coefficient in self.coefficients]))

    @property
    def rounding(self) -> float:
        """How far residuals may be off: by a few operations on numbers as large as the target, or on logarithms."""
        largest = float(np.abs(self.data[TARGET]).max())
        return FEW * float(np.finfo(float).eps) * (max(largest, 1.0) if self.log else largest)

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
        return self._full(self.tape.values(self._given(inner))[-1], len(inner))

    def jacobian(self, inner: Array) -> tuple[Array, Array]:
        """Return residuals (batch, n) and their derivatives (batch, k, n) at inner values (batch, k)."""
        residuals, partials = self.tape.gradient(self._given(inner))
        jacobian = np.empty((*inner.shape, self.size))
        for i, partial in enumerate(partials):
            jacobian[:, i] = partial
        return self._full(residuals, len(inner)), jacobian

    def curvature(self, inner: Array) -> Array:
        """Return the second derivatives of the residuals, (batch, k, k, n), at inner values (batch, k).

        All directions at once: duals whose slopes are (k, batch, n) go through the reverse pass.
        """
        given = self._given(inner)
        k = len(self.names)
        for name, direction in zip(self.names, np.eye(k)[:, :, None, None], strict=True):
            given[name] = Dual(given[name], direction)
        _, partials = self.tape.gradient(given)
        curvature = np.zeros((len(inner), k, k, self.size))
        for i, partial in enumerate(partials):
            if isinstance(partial, Dual):
                curvature[:, :, i] = np.swapaxes(np.broadcast_to(partial.slope, (k, len(inner), self.size)), 0, 1)
        return curvature

    def predictions(self, inner: Array, data: Mapping[str, Array] | None = None) -> Array:
        """Return predictions, (batch, n), for these runs or for others."""
        residuals = self if data is None else self.on(data)
        found = residuals.residuals(inner) + residuals.data[TARGET]
        return np.exp(found) if self.log else found

    def on(self, data: Mapping[str, Array]) -> "Problem":
        """Return the same formula on other runs, with a target of one."""
        size = int(next(iter(data.values())).size)
        return self._with(data={**self._columns.columns(data), TARGET: np.zeros(size)}, size=size)

    def with_targets(self, targets: Array) -> "Problem":
        """Return the same runs with a target, as residuals have it, for each fit of a batch: (batch, n)."""
        return self._with(data={**self.data, TARGET: targets})

    def part_of_runs(self, runs: Array | slice) -> "Problem":
        """Return the same formula on some of the runs, by their numbers, (m,) or (batch, m), or a slice of them."""
        data = {name: values[..., runs] for name, values in self.data.items()}
        return self._with(data=data, target=self.target[runs], size=int(data[TARGET].shape[-1]))

    def part(self, fits: Array) -> "Problem":
        """Return the problem of some fits of a batch, by their numbers."""
        if all(values.ndim == 1 for values in self.data.values()):
            return self
        return self._with(data={name: v if v.ndim == 1 else v[fits] for name, v in self.data.items()})

    def _with(self, **changed: Any) -> "Problem":
        other = object.__new__(Problem)
        other.__dict__.update(self.__dict__, **changed)
        return other

    def _full(self, residuals: Array, batch: int) -> Array:
        shape = (batch, self.size)
        return residuals if np.shape(residuals) == shape else np.broadcast_to(residuals, shape)

    def _given(self, inner: Array) -> dict[str, Any]:
        return {**self.data, **{name: inner[:, i : i + 1] for i, name in enumerate(self.names)}}
