"""The library's `scaling fit`: from a file of runs to a law. Joins what reads runs with what fits them.

Not imported by `import scaling_cli`, since it needs numpy and scipy:

    from scaling_cli.fitting import Request, fit_runs
    fit_runs(Request("runs.csv", at=(1e24,))).law
"""

from scaling_cli.fit.predictions import Answer
from scaling_cli.fitting.parametric import fit_runs
from scaling_cli.fitting.requests import Request
from scaling_cli.fitting.saving import save_fit

__all__ = ["Answer", "Request", "fit_runs", "save_fit"]
