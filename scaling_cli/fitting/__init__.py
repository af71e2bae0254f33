"""The library's `scaling fit`: from a file of runs to a law. Joins what reads runs with what fits them.

Not imported by `import scaling_cli`, since it needs numpy and scipy:

    from scaling_cli.fitting import Request, fit_runs
    fit_runs(Request("runs.csv", at=(1e24,))).law
"""

from scaling_cli.fit.diagnostics import Diagnostics, diagnose
from scaling_cli.fit.frontiers import FrontierAnswer
from scaling_cli.fit.predictions import Answer
from scaling_cli.fitting.comparing import compare_forms
from scaling_cli.fitting.methods import fit_runs
from scaling_cli.fitting.requests import Request
from scaling_cli.fitting.saving import save_fit
from scaling_cli.fitting.verifying import Verification, verify_fit

__all__ = [
    "Answer",
    "Diagnostics",
    "FrontierAnswer",
    "Request",
    "Verification",
    "compare_forms",
    "diagnose",
    "fit_runs",
    "save_fit",
    "verify_fit",
]
