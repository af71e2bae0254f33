"""The shipped accelerators, and an accelerator in a file of the user's. The schema is presets/README.md."""

from scaling_cli.core.hardware import PRECISIONS, Accelerator
from scaling_cli.files.sections import Section, shown
from scaling_cli.files.shelf import ALWAYS, Shelf, amount, whole

KEYS = (
    *ALWAYS, "vendor", "unit", "flops_per_second", "memory_gib", "bandwidth_bytes_per_second", "tdp_w", "source",
    "verified", "sources_agreeing", "trap",
)  # fmt: skip
VERIFIED = ("vendor", "secondary", "unverified")  # the first word; what follows says which figures


def load_accelerator(name: str) -> Accelerator:
    """Return an accelerator by id, name, alias (in any spelling of case, blanks, dashes and underscores) or file.

    Args:
        name: such as h100-sxm, "NVIDIA H100 SXM", h100, or a file ending in .yaml.

    Raises: InputError for an unknown or ambiguous name, with the nearest ones; FileError for a file that is wrong.

    >>> load_accelerator("H100 SXM").peak("bf16")
    989400000000000.0
    """
    return HARDWARE.load(name)


def load_accelerators() -> list[Accelerator]:
    """Return every shipped accelerator, by id."""
    return HARDWARE.load_all()


def _accelerator(top: Section) -> Accelerator:
    top.allow(KEYS)
    verified = top.text("verified", "unverified")
    if verified.split(" ")[0] not in VERIFIED:
        top.fail("verified", f"is {verified[:40]!r}: expected one of {', '.join(VERIFIED)}, and then which figures")
    return Accelerator(
        id=top.text("id"),
        name=top.text("name") or top.text("id"),
        vendor=top.text("vendor"),
        unit=top.text("unit"),
        aliases=top.texts("aliases"),
        flops_per_second=_peaks(top),
        memory_gib=amount(top, "memory_gib"),
        bandwidth_bytes_per_second=amount(top, "bandwidth_bytes_per_second"),
        tdp_w=amount(top, "tdp_w"),
        source=top.text("source"),
        verified=verified,
        sources_agreeing=whole(top, "sources_agreeing"),
        trap=top.text("trap"),
        note=top.text("note"),
    )


def _peaks(top: Section) -> dict[str, float]:
    key, expected = "flops_per_second", "expected dense peaks, FLOP/s, such as {bf16: 989.4e12}"
    if key not in top:
        top.fail("", f"has no {key}: {expected}")
    peaks = top.section(key).allow(PRECISIONS)
    found = {name: value for name in peaks if (value := amount(peaks, name)) is not None}
    if not found:
        top.fail(key, f"is {shown(top.block[key])}: {expected}")
    return found


HARDWARE = Shelf(
    "hardware",
    "accelerator",
    read=_accelerator,
    needs=("schema", "name", "vendor", "unit", "memory_gib", "source", "verified", "trap"),
)
