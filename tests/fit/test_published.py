"""Published fits of published runs, to the printed digits."""

from collections.abc import Callable

import pytest

from scaling_cli.fitting import Answer, Request, fit_runs

KEPT = {"E": 1.817218, "A": 477.826, "B": 2143.417, "alpha": 0.347310, "beta": 0.367172}
PRINTED = {"E": 6, "A": 3, "B": 3, "alpha": 6, "beta": 6}
OPT = {"A": 91.03, "B": 25.77, "E": 0.848, "alpha": 0.2299, "beta": 0.1159}
OPT_PRINTED = {"A": 2, "B": 2, "E": 3, "alpha": 4, "beta": 4}


def rounded(answer: Answer, places: dict[str, int]) -> dict[str, float]:
    found = dict(zip(answer.fit.names, answer.fit.values, strict=True))
    return {name: round(float(found[name]), digits) for name, digits in places.items()}


def assert_certain(answer: Answer) -> None:
    certificate = answer.fit.certificate
    assert certificate.converged
    assert certificate.gradient_norm <= 1e-9
    assert certificate.starts_agreeing >= 2


def test_chinchilla_240_runs(data_file: Callable[[str], str]) -> None:
    """Besiroglu et al. 2024, arXiv:2404.10102: the runs they kept, at the optimum of the objective they state."""
    path = data_file("chinchilla_epoch.csv")
    answer = fit_runs(Request(path, where="in_published_fit == 1", draws=0))
    assert answer.runs.used == 240
    assert answer.fit.value <= 1.018274017801e-3 * (1 + 1e-12)
    assert rounded(answer, PRINTED) == KEPT
    assert answer.exponents[0].value == pytest.approx(0.367172 / (0.347310 + 0.367172), abs=1e-6)
    assert_certain(answer)


def test_chinchilla_all_245_runs(data_file: Callable[[str], str]) -> None:
    answer = fit_runs(Request(data_file("chinchilla_epoch.csv"), draws=0))
    assert answer.runs.used == 245
    assert answer.fit.value <= 1.826010523070e-3 * (1 + 1e-12)
    assert_certain(answer)


@pytest.mark.parametrize("seed", range(3))
def test_a_break_that_fits_best_without_width_is_found_by_every_seed(
    data_file: Callable[[str], str], seed: int
) -> None:
    """By tokens alone Chinchilla's runs bend at a corner. At fixed widths the best objective falls to 0.01098174489 at
    1e-5, from 61 starts each, and goes on as the width does."""
    where = "in_published_fit == 1"
    answer = fit_runs(
        Request(data_file("chinchilla_epoch.csv"), form="caballero-2022", where=where, draws=0, seed=seed)
    )
    assert answer.fit.value == pytest.approx(0.0109817446238, rel=1e-11)
    assert answer.fit.certificate.converged
    assert answer.fit.certificate.starts_agreeing >= 5
    assert any(note.startswith("f1 goes to zero") for note in answer.fit.notes)


def test_a_break_may_be_fixed_at_any_width(data_file: Callable[[str], str]) -> None:
    path, values = data_file("chinchilla_epoch.csv"), []
    for width in ("1e-2", "1e-3", "1e-4"):
        answer = fit_runs(
            Request(path, form="caballero-2022", where="in_published_fit == 1", fix={"f1": width}, draws=0)
        )
        assert answer.fit.certificate.converged
        values.append(answer.fit.value)
    assert values == sorted(values, reverse=True)
    assert values[-1] == pytest.approx(0.010981747279, rel=1e-10)


def test_opt_trajectories(data_file: Callable[[str], str]) -> None:
    answer = fit_runs(Request(data_file("opt_trajectories.csv"), objective="ls-log", draws=0))
    assert rounded(answer, OPT_PRINTED) == OPT
    assert_certain(answer)


def test_gadre_reaches_at_least_the_published_optimum(data_file: Callable[[str], str]) -> None:
    """Gadre et al. 2024, arXiv:2403.08540: four constants on five runs, least squares of the loss on C4."""
    published = {"a": 113.69, "b": 189.52, "eta": 0.24247, "E": 1.50826}
    formula = "a * N**-eta + b * 6**(-eta / 2) * D**-eta + E"  # (M N)**-eta with M = D / N
    where = "train_set == 'c4' and in_published_loss_fit == 1"
    base = Request(
        data_file("gadre_testbed.csv"), formula=formula, where=where, columns={"loss": "loss_c4_val"},
        objective="ls", draws=0, start=published,
    )  # fmt: skip
    answer = fit_runs(base)
    assert answer.runs.used == 5
    found = dict(zip(answer.fit.names, answer.fit.values, strict=True))
    assert found == pytest.approx(published, rel=1e-3)
