"""A fit as a preset that every command takes."""

import os

from scaling_cli.core.fingerprints import KEY, constants_checksum
from scaling_cli.core.laws import Draws
from scaling_cli.files.presets import NAME
from scaling_cli.files.saving import save_law
from scaling_cli.fit.fits import refits
from scaling_cli.fit.frontiers import FrontierAnswer
from scaling_cli.fit.predictions import Answer


def save_fit(answer: Answer | FrontierAnswer, path: str, *, force: bool = False) -> None:
    """Write a fit as a preset that every command takes, with its refits beside it and its manifest inside.

    Args:
        answer: a fit.
        path: the file, ending in .yaml; the law takes its name.
        force: replace an existing file.

    Raises: FileError when the file exists and force is false, or cannot be written.
    """
    stem = os.path.splitext(os.path.basename(path))[0].lower()
    law = answer.law._replace(id=stem if NAME.fullmatch(stem) else answer.law.id)
    draws = refits_of(answer)
    constants = {KEY: constants_checksum(law, draws)} if draws else {}
    save_law(law, path, draws=draws, manifest={**answer.manifest, **constants}, force=force)


def refits_of(answer: Answer | FrontierAnswer) -> Draws | None:
    """Return the refits that a preset of this fit carries; None where there are none."""
    return answer.fit.refits if isinstance(answer, FrontierAnswer) else refits(answer.fit)
