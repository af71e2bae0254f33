"""The loss surface of a law and its budget: L(N, D), flops(N, D), and what each says of the others."""

import math
from collections.abc import Callable

from scaling_cli.core import compute
from scaling_cli.core.closed_form import PowerSplit, power_split
from scaling_cli.core.duals import Dual, Value, exp, library_of, log, minimum, only_where, slope_of, value_of
from scaling_cli.core.laws import Law, names_below
from scaling_cli.core.relations import Bound, Settings, bind
from scaling_cli.core.search import LEVEL, Curve, find_bracket, find_minimum, find_minimum_near, find_root
from scaling_cli.core.sweeps import Array, bisect, is_array, least_at, quietly, sweep
from scaling_cli.errors import NoAnswer

LARGEST = math.log(1e280)  # budgets, params and tokens are sought below this
NEARLY_INFINITE = 1e290
NEWTON_STEPS = 25
NEWTON_TOLERANCE = 1e-9  # of the last step in a logarithm; the error left is its square
NEARLY = 1e-8  # of the logarithm of a minimum sought near a place: the loss is right to the square of that
REACHED_FROM = math.log(1e9)  # params or tokens from which those that reach a loss are sought
BEYOND = 2.0  # factor of size beyond where a floor is reached, at which the loss must be level to the last digit
MARGIN = 10.0  # e-folds beyond N = 1 and D = 1 in which an optimum is sought
_SIX_ND = ("*", ("*", ("num", compute.FLOPS_PER_PARAM_AND_TOKEN), ("name", "N")), ("name", "D"))


class Surface:
    """A law with its variables set, asked for its loss at any params and tokens."""

    def __init__(self, law: Law, settings: Settings) -> None:
        self.law = law
        self.settings = settings
        self._bound: dict[str, Bound] = {}
        self._split: PowerSplit | None = None
        self._split_known = False
        self.precision = NEARLY  # of what is sought near a place
        self._last = (math.nan, math.nan)  # flops and params of the last optimum: it is asked for repeatedly

    def relation(self, name: str) -> Bound:
        """Return a relation as a function, bound once."""
        if name not in self._bound:
            self._bound[name] = bind(self.law, name, self.settings)
        return self._bound[name]

    @property
    def has_loss(self) -> bool:
        """Whether the law says what N params and D tokens reach."""
        return "loss" in self.law.relations

    # flops and its inverses

    def flops(self, params: Value, tokens: Value) -> Value:
        """Return the training FLOPs of params and tokens."""
        if "flops" not in self.law.relations:
            return compute.training_flops(params, tokens)
        return _call(self.relation("flops"), N=params, D=tokens)

    def tokens_for(self, flops: Value, params: Value) -> Value:
        """Return the tokens that a budget leaves for params."""
        if "flops" not in self.law.relations:
            return compute.other_factor(flops, params)
        if isinstance(params, Dual):
            tokens = self.tokens_for(flops, params.value)
            by_params = slope_of(self.flops(params, tokens))
            by_tokens = slope_of(self.flops(params.value, Dual(tokens, 1.0)))
            return Dual(tokens, -by_params / by_tokens)
        return self._invert(lambda tokens: self.flops(params, tokens), flops, compute.other_factor(flops, params))

    def params_for(self, flops: Value, tokens: Value) -> Value:
        """Return the params that a budget leaves for tokens."""
        if "flops" not in self.law.relations:
            return compute.other_factor(flops, tokens)
        return self._invert(lambda params: self.flops(params, tokens), flops, compute.other_factor(flops, tokens))

    def _invert(self, function: Callable[[Value], Value], flops: Value, start: Value) -> Value:
        """Solve function(x) = flops by Newton's method on logarithms: exact in one step for products of powers."""
        if is_array(start):
            return quietly(lambda: self._newton(function, flops, start), start)
        try:
            found = self._newton(function, flops, start)
        except (ArithmeticError, ValueError):
            found = math.nan
        if not 0.0 < found < math.inf:
            hint = "its flops leave nothing over for the rest; give another value"
            raise NoAnswer(f"{self.law.id}: no split of {flops:.6g} FLOPs with that value", hint)
        return found

    def _newton(self, function: Callable[[Value], Value], flops: Value, start: Value) -> Value:
        """Return the solution, NaN (also element by element) where there is none."""
        x = log(start)
        step = x
        for _ in range(NEWTON_STEPS):
            result = function(Dual(exp(x), exp(x)))
            step = (log(flops) - log(value_of(result))) * value_of(result) / slope_of(result)
            x = x + step
            if _largest(step) <= NEWTON_TOLERANCE:
                break
        return only_where(abs(step) <= NEWTON_TOLERANCE, exp(x))

    # loss

    def loss(self, params: Value, tokens: Value) -> Value:
        """Return the loss of params and tokens, in the law's unit."""
        bound = self.relation("loss")
        if "C" in bound.inputs:
            return _call(bound, N=params, D=tokens, C=self.flops(params, tokens))
        return _call(bound, N=params, D=tokens)

    def loss_of(self, params: Value, tokens: Value) -> Value:
        """Return the loss of params and tokens, infinities included; NaN for elements without one.

        Raises: NoAnswer where the formula has no finite value for floats.
        """
        if is_array(params) or is_array(tokens):
            array = params if is_array(params) else tokens
            loss = quietly(lambda: self.loss(params, tokens), array)
            bad = ~library_of(array).isfinite(loss)
            return quietly(lambda: self._limit_of_arrays(params, tokens, loss, bad), array) if bad.any() else loss
        try:
            value = float(self.loss(params, tokens))
        except (ArithmeticError, ValueError):
            value = math.nan
        return value if math.isfinite(value) else self._limit(params, tokens)

    def _limit(self, params: float, tokens: float) -> float:
        """Evaluate near infinity where infinity itself gives 0 * inf or inf / inf."""
        if math.isinf(params) or math.isinf(tokens):
            return float(self.loss_of(min(params, NEARLY_INFINITE), min(tokens, NEARLY_INFINITE)))
        problem = f"{self.law.id}: the loss has no finite value at {params:.6g} params and {tokens:.6g} tokens"
        given = "".join(f", with {name} = {value:g}" for name, value in self.settings.items())
        raise NoAnswer(problem + given, "its formula divides by zero, overflows or leaves its domain there")

    def _limit_of_arrays(self, params: Value, tokens: Value, loss: Array, bad: Array) -> Array:
        near = self.loss(minimum(params, NEARLY_INFINITE), minimum(tokens, NEARLY_INFINITE))
        return library_of(loss).where(bad, near, loss)

    def loss_at(self, flops: float, params: float) -> Dual:
        """Return the loss of params at a budget, with its slope by the logarithm of the budget."""
        tokens = self.tokens_for(flops, params)
        more = Dual(tokens, tokens)
        loss = self.loss(params, more)
        return Dual(value_of(loss), slope_of(loss) * flops / slope_of(self.flops(params, more)))

    @property
    def irreducible(self) -> float:
        """The loss of infinite params on infinite tokens."""
        return float(self.loss_of(math.inf, math.inf))

    # the minimum of the loss at fixed flops

    @property
    def power_split(self) -> PowerSplit | None:
        """The optimal params as a power law of the budget, where the loss has that form."""
        if not self._split_known:
            loss = self.relation("loss")
            if "flops" in self.law.relations:
                flops = self.relation("flops")
                self._split = power_split(loss.tree, flops.tree, loss.sub_formulas, flops.sub_formulas)
            else:
                self._split = power_split(loss.tree, _SIX_ND, loss.sub_formulas)
            self._split_known = True
        return self._split

    def optimal_params(self, flops: Value, *, near: float | None = None) -> Value:
        """Return the params that minimise the loss at fixed flops; the fewest where several do.

        Args:
            flops: training FLOPs; a float or an array.
            near: params next to which any minimum will do, if there is one; faster.

        Raises: NoAnswer when the loss has no minimum along the isoflop.
        """
        if self.power_split is not None:
            return self.power_split.params(flops)
        if is_array(flops):
            shape = flops.shape
            return exp(sweep(self._optimal_log_params, log(flops).ravel())).reshape(shape)
        if flops == self._last[0]:
            return self._last[1]
        isoflop: Callable[[Value], Value] = lambda x: self._isoflop_or_error(x, flops)  # noqa: E731
        x = None if near is None else find_minimum_near(isoflop, math.log(near), tolerance=self.precision)
        if x is not None:
            return math.exp(x)
        self._last = (flops, math.exp(self._minimum(isoflop, flops)))
        return self._last[1]

    def _minimum(self, isoflop: Callable[[Value], Value], flops: float) -> float:
        x = find_minimum(isoflop, -MARGIN, math.log(flops) + MARGIN)
        if x is None:
            raise NoAnswer(f"{self.law.id} has no optimal split at {flops:.6g} FLOPs", self._why_none(flops))
        return x

    def _why_none(self, flops: float) -> str:
        middle = math.sqrt(flops)
        try:
            self.loss_of(middle, self.tokens_for(flops, middle))
        except NoAnswer as error:
            return error.message
        if not {"N", "D"} & names_below(self.law, ["loss"]):
            return "its loss rests on flops alone: any split has the same"
        return "its loss keeps falling towards one end of the isoflop"

    def _optimal_log_params(self, log_flops: Array) -> Array:
        return least_at(lambda x, c: self.isoflop(x, exp(c)), -MARGIN, log_flops + MARGIN, log_flops)

    def isoflop(self, x: Value, flops: Value) -> Value:
        """Return the loss of exp(x) params with the tokens that flops leave."""
        params = exp(x)
        return self.loss(params, self.tokens_for(flops, params))

    def _isoflop_or_error(self, x: Value, flops: float) -> Value:
        try:
            return self.isoflop(x, flops)
        except NoAnswer as error:  # params that the budget cannot pay for: no point of the isoflop
            raise ArithmeticError from error

    def tokens_at_loss(self, params: Value, loss: Value) -> Value:
        """Return the tokens at which params reach a loss."""
        return self._reach(lambda tokens: (params, tokens), loss, f"{_shown(params)} params", "tokens")

    def params_at_loss(self, tokens: Value, loss: Value) -> Value:
        """Return the params at which tokens reach a loss."""
        return self._reach(lambda params: (params, tokens), loss, f"{_shown(tokens)} tokens", "params")

    def _reach(self, run: Callable[[Value], tuple[Value, Value]], loss: Value, held: str, wanted: str) -> Value:
        if is_array(loss):
            low = 0.0 * loss
            return exp(bisect(lambda x: self.loss_of(*run(exp(x))) - loss, low, low + LARGEST))
        floor = or_else(lambda: self.loss_of(*run(math.inf)), -math.inf)
        level = loss + LEVEL * abs(loss) if loss == floor else loss
        distance: Curve = lambda x: or_else(lambda: self.loss_of(*run(math.exp(x))), math.nan) - level  # noqa: E731
        found = None if loss < floor else find_bracket(distance, REACHED_FROM, lowest=0.0, highest=LARGEST)
        if found is not None:
            size = math.exp(find_root(distance, *found))
            if loss > floor or or_else(lambda: slope_of(self.loss(*run(Dual(BEYOND * size, size)))), math.nan) == 0.0:
                return size
        if loss <= floor:
            hint = f"its loss falls to {floor:.6g} with infinite {wanted}; ask for a higher loss"
            raise NoAnswer(f"{self.law.id}: no number of {wanted} takes {held} to a loss of {loss:.6g}", hint)
        self.loss_of(*run(math.exp(REACHED_FROM)))  # says so where the loss has no value at all
        hints = () if floor > -math.inf else (f"its formula ends before infinite {wanted}; ask for a higher loss",)
        raise NoAnswer(f"{self.law.id}: the loss at {held} is {loss:.6g} for no number of {wanted}", *hints)

    def params_range(self, flops: Value, loss: Value, best: Value) -> tuple[Value, Value]:
        """Return the fewest and the most params that reach a loss at fixed flops, around the best."""
        middle, far = log(best), log(flops) + MARGIN
        if is_array(middle):
            distance: Callable[[Array], Array] = lambda x: self.isoflop(x, flops) - loss  # noqa: E731
            return exp(bisect(distance, 0.0 * middle - MARGIN, middle)), exp(bisect(distance, middle, far))
        ends = []
        for end in (-MARGIN, far):
            if self._isoflop_of(end, flops) <= loss:
                raise NoAnswer(f"{self.law.id}: a loss of {loss:.6g} is reached at any number of params")
            inner, outer = sorted((middle, end))
            ends.append(find_root(lambda x: self._isoflop_of(x, flops) - loss, inner, outer))
        return math.exp(ends[0]), math.exp(ends[1])

    def _isoflop_of(self, x: float, flops: float) -> float:
        try:
            return float(self.loss_of(math.exp(x), self.tokens_for(flops, math.exp(x))))
        except (NoAnswer, ArithmeticError, ValueError):
            return LARGEST  # as good as infinite, and safe to interpolate with


def _call(bound: Bound, **known: Value) -> Value:
    missing = bound.inputs - known.keys()
    if missing:
        raise NoAnswer(f"the formula needs {', '.join(sorted(missing))}, which this question does not give")
    return bound(**{name: known[name] for name in bound.inputs})


def or_else(question: Callable[[], Value], otherwise: float) -> float:
    """Return a number, or another where it does not exist."""
    try:
        return float(question())
    except (NoAnswer, ArithmeticError, ValueError):
        return otherwise


def _shown(size: Value) -> str:
    return "" if is_array(size) else f"{size:.4g}"


def _largest(step: Value) -> float:
    return abs(step) if isinstance(step, float) else float(abs(step).max(initial=0.0, where=step == step))
