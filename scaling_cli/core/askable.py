"""What a relation of a law is asked with: the options of `scaling plan` that give the quantities it rests on."""

from collections.abc import Iterator, Mapping

from scaling_cli.core.laws import QUANTITIES, Law, names_below

OPTIONS = {"N": "--params 1B", "D": "--tokens 20B", "C": "--flops 1e22"}
MOST = 3  # relations named in a hint; ours


def options_for(law: Law, relation: str) -> str:
    """Return the options that give a relation its quantities and variables; '' where a plan cannot be asked for it.

    >>> from scaling_cli.core.formulas import Formula
    >>> from scaling_cli.core.laws import Relation
    >>> options_for(Law("mine", {"batch_size": Relation("batch_size", Formula("3 * N**0.4"))}), "batch_size")
    '--params 1B'
    """
    below = names_below(law, [relation])
    letters = [letter for letter in OPTIONS if letter in below][:2]  # of three, two give the third
    return " ".join([*(OPTIONS[letter] for letter in letters), *_settings(law, below)]) if letters else ""


def first_question(law: Law, relation: str, *, splits: bool) -> str:
    """Return a command that a law answers, with {} for its file.

    Args:
        law: the law.
        relation: what it is of.
        splits: whether it is known to say how a budget is split.
    """
    below = names_below(law, [relation])
    settings = " ".join(["", *_settings(law, below)])
    if splits or (settings and relation == "loss" and {"N", "D"} <= below):
        return f"scaling plan --law {{}} {OPTIONS['C']}{settings}"
    if relation == "loss":
        letters = [letter for letter, word in QUANTITIES.items() if word in counts_of_loss(law)]
        return f"scaling loss --law {{}} {' '.join(map(OPTIONS.__getitem__, letters))}{settings}"
    options = options_for(law, relation)
    return f"scaling plan --law {{}} {options}" if options else "scaling laws show {}"


def counts_of_loss(law: Law, settings: Mapping[str, float] | None = None) -> list[str]:
    """Return which of params and tokens the loss of a law rests on: both, where it rests on their flops.

    Args:
        law: the law.
        settings: values of its variables; the defaults that they replace count no more.
    """
    given = {name: law.variables[name]._replace(default=value) for name, value in (settings or {}).items()}
    below = names_below(law._replace(variables={**law.variables, **given}), ["loss"])
    return [QUANTITIES[letter] for letter in ("N", "D") if letter in below or "C" in below]


def _settings(law: Law, below: set[str]) -> list[str]:
    """Return the options that give variables without a default a value."""
    return [f"--set {n}=..." for n, variable in law.variables.items() if n in below and variable.default is None]


def without_split(law: Law) -> Iterator[str]:
    """Yield the hint to a law that states no optimal split: what it can be asked instead; nothing where it cannot."""
    options = {name: options_for(law, name) for name in law.relations if name not in ("loss", "flops")}
    asked = [f"{name} with {text}" for name, text in options.items() if text]
    if asked:
        yield f"it gives {', '.join(asked[:MOST])}: `scaling laws` lists what each law relates"
