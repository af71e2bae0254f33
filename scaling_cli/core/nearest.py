"""The amount nearest to the one there is at which a rule is kept, among amounts that a message can print.

Knows nothing of runs: `over` says by how much an amount breaks the rule, above zero where it does, NaN where there is
no answer. Amounts are rounded away from the old one before they are tried, so what is printed is what was tried.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from scaling_cli.core.search import GOLDEN

DIGITS = 3  # that messages show
SAME = 1e-12  # relative: rounding of an amount that is a round number
NUDGE = 1e-6  # relative: within which an amount is tried as the round number beside it
STEP = 0.01  # in the logarithm of the amount, over which the first slope is taken
FLAT = 1e-8  # in the logarithm of the number: less is no change
STRAIGHT = 1e-3  # of the miss, by which a straight line may miss and still be believed
SECANTS, TURNS = 6, 40
TIMES = 100.0  # by how much an input may change at most: beyond that it is another run; ours
FARTHEST = math.log(TIMES)
FIRST, SMALLEST = 0.1, 0.01  # steps in the logarithm of the amount
NARROW = 0.02  # of a valley, in the same: at its bottom a number hardly changes
UNIT = 0.012  # in the same, a little more than the coarsest step between amounts of three digits: 1.00 to 1.01
CLOSE = 0.003  # between a broken and a kept amount, below which the kept one is near enough
DISTANCES = (1.0, 3.0, FARTHEST - UNIT)  # the last lies within TIMES when it is rounded too

Curve = Callable[[float], float]


class Place(NamedTuple):
    """An amount, and by how much it breaks the rule: above zero where it does, NaN where there is no answer."""

    amount: float
    over: float

    @property
    def x(self) -> float:
        """The logarithm of the amount."""
        return math.log(self.amount)


class Search:
    """The search for one input of a run.

    Args:
        over: the rule, by amount.
        here: the amount there is, which breaks it.
        rounded: takes an amount to one that can be printed, away from the one there is.
        turns: whether the rule may be kept between two amounts that break it; else what is furthest off decides.
    """

    def __init__(self, over: Curve, here: Place, rounded: Curve, *, turns: bool) -> None:
        self.here = here
        self.rounded = rounded
        self.turns = turns
        self._over = over
        self.slope = self._slope()
        self.side = -1.0 if self.slope > 0.0 else 1.0

    @property
    def moves(self) -> bool:
        """Whether the input moves the number at all."""
        return self.slope != 0.0

    def nearest(self) -> float | None:
        """Return the nearest amount that keeps the rule, to within UNIT; None where none is found."""
        if not self.moves:
            return None
        guess = self._at(self.here.x - self.here.over / self.slope)
        expected = self.here.over + self.slope * (guess.x - self.here.x)
        if guess.over <= 0.0 and abs(guess.over - expected) <= STRAIGHT * self.here.over:
            return guess.amount
        if not (guess.over <= 0.0 or self.turns) and self._farthest().over > 0.0:
            return None
        ends = (self.here, guess) if guess.over <= 0.0 else self._by_secants(guess) or self._by_steps(guess)
        return None if ends is None else self._narrowed(*ends)

    def elsewhere(self) -> float | None:
        """Return an amount that keeps the rule though the slope does not lead there: by steps to either side."""
        for side in (1.0, -1.0):
            self.side, last = side, self.here
            for distance in DISTANCES:
                place = self._at(self.here.x + side * distance)
                if place.over <= 0.0:
                    return self._narrowed(last, place)
                last = last if math.isnan(place.over) else place
        return None

    def _at(self, x: float) -> Place:
        """Return the place of a logarithm, rounded; the round number just before it where that will do."""
        x = min(max(x, self.here.x - FARTHEST), self.here.x + FARTHEST)
        near, far = (self.rounded(math.exp(x + nudge)) for nudge in (-self.side * NUDGE, self.side * NUDGE))
        if not self._is_allowed(near):
            return Place(math.exp(x), math.nan)
        place = Place(near, self._over(near))
        done = near == far or place.over <= 0.0 or not self._is_allowed(far)
        return place if done else Place(far, self._over(far))

    def _is_allowed(self, amount: float) -> bool:
        """Whether there is such an amount, and within TIMES."""
        return amount > 0.0 and abs(math.log(amount) - self.here.x) <= FARTHEST + SAME * max(1.0, abs(self.here.x))

    def _farthest(self) -> Place:
        """Return the last place of this side: rounded, it may lie beyond, and then the one before."""
        end = self._at(self.here.x + self.side * FARTHEST)
        return self._at(self.here.x + self.side * (FARTHEST - UNIT)) if math.isnan(end.over) else end

    def _slope(self) -> float:
        """Return the slope at the amount there is, in logarithms; 0 where it is level or has none."""
        for step in (STEP, -STEP):
            amount = self.rounded(self.here.amount * math.exp(step))
            there = Place(amount, self._over(amount) if amount > 0.0 else math.nan)
            rise = there.over - self.here.over
            if math.isfinite(rise):
                return rise / (there.x - self.here.x) if abs(rise) > FLAT else 0.0
        return 0.0

    def _by_secants(self, place: Place) -> tuple[Place, Place] | None:
        """Return a broken place and a kept one beyond it: from the broken side, where the slope only changes slowly."""
        last = self.here
        for _ in range(SECANTS):
            if not (place.over < last.over and (place.x - last.x) * self.side > 0.0):
                return None
            step = place.over * (place.x - last.x) / (last.over - place.over)
            last, place = place, self._at(place.x + step + 2.0 * self.side * NUDGE)
            if place.over <= 0.0:
                return last, place
        return None

    def _by_steps(self, guess: Place) -> tuple[Place, Place] | None:
        """Return a broken place and a kept one beyond it, by ever larger steps; where it turns, the lowest between."""
        before = place = self.here
        step = max(FIRST, 0.5 * abs(guess.x - self.here.x))
        while abs(place.x - self.here.x) < FARTHEST and step > SMALLEST:
            far = self._at(place.x + self.side * step)
            if far.over <= 0.0:
                return place, far
            if math.isnan(far.over):
                step /= 4.0
            elif far.over > place.over - FLAT:
                kept = self._in_valley(before.x, far.x)
                return None if kept is None else (before, kept)
            else:
                before, place, step = place, far, 2.0 * step
        kept = self._in_valley(before.x, place.x) if self.turns else None
        return None if kept is None else (before, kept)

    def _in_valley(self, a: float, b: float) -> Place | None:
        """Return a kept place between two, by golden section; None where the lowest is broken too."""
        c, d = self._at(b - GOLDEN * (b - a)), self._at(a + GOLDEN * (b - a))
        while min(c.over, d.over) > 0.0 and abs(b - a) > NARROW:
            if c.over <= d.over:
                b, d = d.x, c
                c = self._at(b - GOLDEN * (b - a))
            else:
                a, c = c.x, d
                d = self._at(a + GOLDEN * (b - a))
        return next((place for place in (c, d) if place.over <= 0.0), None)

    def _narrowed(self, broken: Place, kept: Place) -> float:
        """Return the kept amount nearest to the broken side: chords and middles in turn, then amount by amount."""
        for turn in range(TURNS):
            width = abs(kept.x - broken.x)
            if width <= CLOSE:
                break
            share = 0.5 if turn % 2 or math.isnan(broken.over) else broken.over / (broken.over - kept.over)
            margin = (UNIT if width > 2.0 * UNIT else 0.5 * CLOSE) / width
            inside = min(max(share, margin), 1.0 - margin)
            place = self._at(broken.x + inside * (kept.x - broken.x))
            if place.amount in (kept.amount, broken.amount):
                break
            broken, kept = (broken, place) if place.over <= 0.0 else (place, kept)
        back = math.copysign(UNIT, broken.x - kept.x)  # rounded, a step back
        while abs(broken.x - kept.x) > UNIT and (place := self._at(kept.x + back)).over <= 0.0:
            if place.amount == kept.amount:
                break
            kept = place
        return kept.amount


def away(new: float, old: float) -> float:
    """Return a new amount rounded to the digits that messages show, away from the old one.

    >>> away(70.06e9, 90e9), away(70.01e9, 50e9)
    (70000000000.0, 70100000000.0)
    """
    return _rounded(new, old, math.floor(math.log10(new)) - DIGITS + 1)


def away_whole(new: float, old: float) -> float:
    """Return a new amount rounded to a whole number away from the old one: 0 where none is left.

    >>> away_whole(7.5, 5.0), away_whole(7.5, 9.0)
    (8.0, 7.0)
    """
    return _rounded(new, old, 0)


def away_loss(new: float, old: float) -> float:
    """Return a new loss rounded to the four decimals that messages show, away from the old one.

    >>> away_loss(2.00001, 2.1), away_loss(2.00001, 1.9)
    (2.0, 2.0001)
    """
    return _rounded(new, old, -4)


def _rounded(new: float, old: float, power: int) -> float:
    scaled = new / 10.0**power
    digits = math.floor(scaled * (1.0 + SAME)) if new < old else math.ceil(scaled * (1.0 - SAME))
    return float(f"{digits}e{power}")
