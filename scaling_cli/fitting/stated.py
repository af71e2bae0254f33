"""What a preset states of how sure its numbers are, put so that two presets can be compared."""

from collections.abc import Iterable, Mapping

Pair = tuple[str, str]
Covariance = Mapping[Pair, float]


def covariance_by_pairs(stated: object) -> dict[Pair, float]:
    """Return a stated covariance by pairs of coefficients; nothing where there is none, or none that can be read."""
    parts = stated if isinstance(stated, Mapping) else {}
    names, rows = parts.get("names"), parts.get("rows")
    if not isinstance(names, Iterable) or not isinstance(rows, Iterable):
        return {}
    try:
        table = {str(name): dict(zip(map(str, names), row, strict=True)) for name, row in zip(names, rows, strict=True)}
        return {(one, other): float(value) for one, row in table.items() for other, value in row.items()}
    except (TypeError, ValueError):
        return {}


def furthest_apart(saved: Covariance, got: Covariance) -> tuple[Pair, float]:
    """Return the pair whose covariances differ most, and by how much, in standard errors of the one times the other's.

    Args:
        saved: by pairs, at least one.
        got: of the same pairs.
    """
    apart = {(a, b): abs(saved[a, b] - got[a, b]) / ((got[a, a] * got[b, b]) ** 0.5 or 1.0) for a, b in got}
    pair = max(apart, key=apart.__getitem__)
    return pair, apart[pair]


def as_text(stated: object) -> str | None:
    """Return stated intervals or standard errors as a text; None where there are none."""
    if not isinstance(stated, Mapping):
        return None
    ends = {name: value if isinstance(value, tuple) else (value,) for name, value in stated.items()}
    return "; ".join(f"{name} {' to '.join(f'{float(end):g}' for end in value)}" for name, value in ends.items())
