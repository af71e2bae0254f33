"""Rules: what may be limited how, and limits as people write them."""

import pytest

from scaling_cli.core.policies import FORMS, QUANTITIES, Policy, Rule, find_quantity, parse_limit, parse_share
from scaling_cli.errors import InputError


@pytest.mark.parametrize(
    ("form", "quantity", "text", "limit"),
    [
        ("max", "dollars", "5M", 5e6),
        ("max", "dollars", "$200k", 2e5),
        ("max", "flops", "3640 PF-days", 3640 * 8.64e19),
        ("min", "params", "70B", 7e10),
        ("max", "memory_bytes", "80GB", 8e10),
        ("max", "waste", "20%", 0.2),
        ("max", "waste", "0.2", 0.2),
        ("max", "excess_loss", "0.01", 0.01),
        ("max_increase", "flops", "10%", 0.1),
        ("max_increase", "dollars", "250%", 2.5),
        ("max_of_optimum", "params", "150%", 1.5),
        ("max_of_optimum", "params", "1.5", 1.5),
        ("max", "extrapolation", "1", 1.0),
    ],
)
def test_limits_are_read_as_people_write_them(form: str, quantity: str, text: str, limit: float) -> None:
    assert parse_limit(text, QUANTITIES[quantity], form=form, name="here") == pytest.approx(limit, rel=1e-15)


@pytest.mark.parametrize(
    ("form", "quantity", "text", "said"),
    [
        ("max", "dollars", "nan", "finite"),
        ("max", "days", "inf", "finite"),
        ("max", "dollars", "much", "not a number"),
        ("max", "waste", "20", "did you mean 20%?"),
        ("max", "waste", "-5%", "0 or more"),
        ("max_increase", "flops", "10", "did you mean 10%?"),
        ("max_increase", "flops", "1.5", "did you mean 1.5% or 150%?"),
        ("max", "waste", "1.5", "did you mean 1.5%?"),  # 150 % of the compute is never wasted
        ("max_increase", "flops", "nan%", "finite"),
        ("max", "flops", "0", "greater than zero"),
        ("max", "dollars", "-1", "0 or more"),
        ("max", "extrapolation", "0.5", "1 or more"),
        ("max", "disagreement", "0", "1 or more"),
    ],
)
def test_limits_that_would_let_everything_or_nothing_pass_are_refused(
    form: str, quantity: str, text: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        parse_limit(text, QUANTITIES[quantity], form=form, name="here")
    assert said in str(caught.value)
    assert str(caught.value).startswith("here is ")


def test_a_share_without_its_sign_is_at_most_one() -> None:
    assert parse_share(" 40 % ", "mfu") == pytest.approx(0.4)
    with pytest.raises(InputError, match="did you mean 40%"):
        parse_share("40", "mfu")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("of_total", [False, True])
def test_every_quantity_of_every_form_is_found(form: str, of_total: bool) -> None:
    for name in FORMS[form].quantities(of_total=of_total):
        assert find_quantity(name, form, where="here", of_total=of_total) is QUANTITIES[name]


def test_short_names() -> None:
    assert find_quantity("memory", "max", where="here").name == "memory_bytes"
    assert find_quantity("energy", "max", where="here", of_total=True).name == "energy_mwh"


def test_an_unknown_quantity_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean dollars"):
        find_quantity("dolars", "max", where="here")


@pytest.mark.parametrize("name", ["loss", "params", "tokens_per_param", "epochs", "waste", "extrapolation"])
def test_what_does_not_add_up_has_no_limit_on_its_sum(name: str) -> None:
    with pytest.raises(InputError, match="of the sum over all runs"):
        find_quantity(name, "max", where="here", of_total=True)


def test_the_ends_of_relative_rules() -> None:
    assert Rule("deny", "max", "flops", 1e23).end(5.0) == 1e23
    assert Rule("deny", "max_increase", "flops", 0.1).end(1e22) == pytest.approx(1.1e22)
    assert Rule("deny", "min_of_optimum", "params", 0.5).end(4e9) == 2e9


def test_a_rule_of_one_run_replaces_that_of_each() -> None:
    each = (Rule("deny", "max", "dollars", 1e6), Rule("warn", "max", "dollars", 5e5), Rule("deny", "max", "days", 9.0))
    policy = Policy(each, runs={"big": (Rule("deny", "max", "dollars", 9e6),)})
    assert {(rule.level, rule.quantity): rule.limit for rule in policy.of("big")} == {
        ("deny", "dollars"): 9e6,
        ("warn", "dollars"): 5e5,
        ("deny", "days"): 9.0,
    }
    assert policy.of("small") == each


def test_of_two_rules_on_one_quantity_neither_is_lost() -> None:
    """A file and the command line refuse them; from Python the tighter one must still be kept."""
    tight, loose = Rule("deny", "max", "memory_bytes", 1e10), Rule("deny", "max", "memory_bytes", 1e11)
    assert set(Policy((tight, loose)).of("run")) == {tight, loose}
