"""Whether the constants of a saved fit are still those that its refits belong to."""

import hashlib
from collections.abc import Iterator

from scaling_cli.core.laws import Draws, Law

KEY = "constants_sha256"  # of the manifest


def constants_checksum(law: Law, draws: Draws) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 of the constants that draws are of, by their names."""
    own = law.relations[draws.relation].coefficients
    lines = [f"{name} {own.get(name, law.coefficients.get(name))!r}" for name in sorted(draws.names)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def changed_constants(law: Law) -> Iterator[str]:
    """Yield a note where a law with draws has other constants than when its fit was saved with them."""
    saved = law.manifest.get(KEY)
    if law.draws and saved is not None and saved != constants_checksum(law, law.draws):
        yield (
            f"{law.id}: its constants were changed since the fit: intervals belong to the fit's own; "
            "run `scaling fit` again"
        )
