"""Quantities: what people write, what they meant, and what a table shows."""

import math
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scaling_cli.core.quantities import PF_DAY, format_apart, format_quantity, parse_quantity
from scaling_cli.errors import InputError

KINDS = ("flops", "params", "tokens", "loss", "number")
POSITIVE_KINDS = KINDS[:-1]

ACCEPTED: dict[tuple[str, float], list[str]] = {
    ("flops", 1e22): ["1e22", "1E+22", " +1e22\n", "1_000_000e16", "1e2_2", "1e22 FLOPS", "10 ZFLOP"],
    ("flops", 5.76e23): ["5.76e23 FLOPs", "5.76e23flop", "576 ZFLOPs", "576zflops"],
    ("flops", 10e9): ["10 billion FLOPs", "10B", "10 GFLOP", "10 gigaflops"],
    ("flops", 6e6): ["6 mflop", "6 MFLOPs", "6 megaflop"],
    ("flops", 6e12): ["6 TFLOPs", "6 trillion", "6 teraflop"],
    ("flops", 6e15): ["6PFLOP", "6 PFLOPs", "6 petaflops"],
    ("flops", 6e18): ["6 EFLOPs", "6EFLOPs", "6e0EFLOP"],
    ("flops", 1.5e24): ["1.5 YFLOP", "1.5 YFLOPs"],
    ("flops", 4.32e20): ["5 PF-days", "5e0 pf day", "5\tPF days"],
    ("flops", 3.14496e23): ["3640 PF-days", "3640PFd", "3.64 EF-days", "3640 PFLOP/s days", "3640000 TF-days"],
    ("flops", 8.64e19): ["1 PF-d", "1 petaflop/s-days", "1 petaflop/s-day", "24 PF-hours"],
    ("flops", 3.6e21): ["1 EFLOP/s-hour", "1 EFLOP / s-hours"],
    ("params", 70e9): ["70B", "70 b", "70B params", "70 billion parameters"],
    ("params", 350e6): ["350M", "350m", "350 million"],
    ("params", 7e3): ["7k", "7K", "7 thousand params", "7000."],
    ("params", 5e8): [".5B", "+.5 B"],
    ("tokens", 1.4e12): ["1.4T", "1.4T tokens", "1.4 t tokens"],
    ("tokens", 15e12): ["15 trillion", "15 Trillion tokens"],
    ("tokens", 1.1e12): ["1.1T"],
    ("loss", 1.9366): ["1.9366"],
    ("number", -3.5): ["-3.5"],
    ("number", 0.0): ["0", "-0.0", "0e-999"],
    ("number", 200e3): ["200k"],
    ("number", 3e-4): ["3e-4"],
}

REFUSED = {
    ("flops", "empty"): ["", "   "],
    ("flops", "not an amount of compute"): [
        *("abc", "1 e22", "0x10", "1.2.3e4", "1__0e22", "_1e22", "1e22_", "1E", "e22", "10^22", "--1e22", "40%"),
        *("70B params", "5 QFLOPs", "30 days", "512xH100 for 30d @40%"),
    ],
    ("flops", "greater than zero"): ["-1e22", "-5 PF-days", "-0.0", "0"],
    ("flops", "finite"): ["nan", "-inf", "Infinity", "1e400", "1e308 PF-days"],
    ("flops", "too small"): ["1e-400"],
    ("flops", "commas"): ["1,000,000", "1,5e22"],
    ("flops", "a rate where an amount of compute"): ["1e22 FLOP/s", "5 PFLOP/s", "5 PF/s", "5 petaflops per second"],
    ("flops", "needs a unit"): ["5 PF", "5EF"],
    ("flops", "ASCII"): ["\u0663e22", "1.5\u00d710^22"],
    ("flops", "not a short piece of text"): ["9" * 5000],
    ("params", "not a short piece of text"): [" " * 5000],
    ("params", "not a number of parameters"): ["70BB", "7O B", "7e9 tokens", "5 PF-days", "70 billions"],
    ("tokens", "not a number of tokens"): ["1.4T params", "tokens"],
    ("loss", "not a number"): ["2k"],
    ("loss", "commas"): ["2,81"],
    ("loss", "greater than zero"): ["-1"],
    ("number", "finite"): ["nan", "-1e400"],
    ("number", "too small"): ["-1e-400", "1e-400"],
    ("number", "not a number"): ["True"],
}


@pytest.mark.parametrize(("kind", "value", "text"), [(*key, text) for key in ACCEPTED for text in ACCEPTED[key]])
def test_reads_what_people_write(kind: str, value: float, text: str) -> None:
    """Exactly the double nearest to what was written, not within a tolerance."""
    assert parse_quantity(text, kind, "--x") == value


@pytest.mark.parametrize(("kind", "words", "text"), [(*key, text) for key in REFUSED for text in REFUSED[key]])
def test_refuses_with_the_name_and_the_reason(kind: str, words: str, text: str) -> None:
    """What is wrong, then what was expected."""
    with pytest.raises(InputError) as caught:
        parse_quantity(text, kind, "--x")
    assert caught.value.message.startswith("--x is ")
    assert words in caught.value.message
    assert caught.value.hints[0].startswith("expected ")
    assert caught.value.exit_code == 2


def test_a_message_stands_as_it_is_read() -> None:
    """One message in full, so that a change of layout is seen."""
    with pytest.raises(InputError) as caught:
        parse_quantity("5 PFLOP/s", "flops", "--flops")
    assert str(caught.value).splitlines() == [
        "--flops is '5 PFLOP/s', a rate where an amount of compute is needed",
        "  expected training FLOPs, a count above zero: 1e22, 5.76e23 FLOPs, 1 ZFLOPs, 3640 PF-days",
        "  say for how long: 5 PFLOP/s for a day is 5 PF-days",
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text", ["\x1b[2J70B", "70B\r\n::error::", "\u202e70B", "\ud800", "\x9b2J", "7\x00", "\u0663B"]
)
def test_what_is_echoed_is_inert(text: str, kind: str) -> None:
    """No value reaches a terminal or a log as an escape or a new line."""
    with pytest.raises(InputError) as caught:
        parse_quantity(text, kind, "--x")
    shown = str(caught.value)
    assert shown.replace("\n  ", "").isascii()
    assert shown.replace("\n  ", "").isprintable()


def test_a_control_character_is_shown_as_its_escape() -> None:
    """Inert, yet still told apart from other characters."""
    with pytest.raises(InputError, match=r"'\\x1b\[31m70B'"):
        parse_quantity("\x1b[31m70B", "params", "--params")


def test_a_long_value_is_cut_short() -> None:
    """A pasted file does not flood the terminal."""
    with pytest.raises(InputError) as caught:
        parse_quantity("9" * 5000, "flops", "--flops")
    assert caught.value.message.startswith(f"--flops is '{'9' * 40}'..., not a short")
    assert "5000 characters" in caught.value.message


@pytest.mark.parametrize("piece", ["9", "1_", "-", " ", "e", "1e", "flop", "\t", "1,", "\u0663"])
@pytest.mark.parametrize("kind", KINDS)
def test_hostile_length_costs_no_time(piece: str, kind: str) -> None:
    """Linear, with no digit limit of int() on the way."""
    with pytest.raises(InputError):
        parse_quantity(piece * 1_000_000, kind, "--x")


PIECES = ["1", "9.5", "e", "E+22", "-", "_", ".", ",", " ", "\t", "k", "B", "PF", "FLOPs", "/s", "-days", "trillion"]
NEARLY = st.lists(st.sampled_from([*PIECES, "tokens", "nan", "inf", "%", "0x", "\u0663"]), max_size=8).map("".join)


@given(st.one_of(st.text(), NEARLY), st.sampled_from(KINDS))
@example("1e" + "9" * 90, "number")
@example("1e-" + "9" * 90, "number")
def test_any_text_is_read_or_refused(text: str, kind: str) -> None:
    """A traceback would be our bug."""
    try:
        value = parse_quantity(text, kind, "--x")
    except InputError:
        return
    assert math.isfinite(value)
    assert value > 0 or kind == "number"


@given(st.floats(min_value=5e-324, max_value=1.7e308), st.sampled_from(POSITIVE_KINDS))
def test_every_float_is_read_back_exactly(value: float, kind: str) -> None:
    """A number from our own JSON can be pasted back."""
    assert parse_quantity(repr(value), kind, "--x") == value


@given(st.decimals(min_value="0.001", max_value=100_000, places=3))
def test_a_suffix_is_its_power_of_ten(number: object) -> None:
    """To the last bit, in any case, with a blank or without."""
    spellings = {"k": ("K", " thousand"), "e6": ("M", "m", " million"), "e9": ("B", "b", " billion"), "e12": ("T", "t")}
    for power, suffixes in (spellings | {"e3": ("k",)}).items():
        plain = parse_quantity(f"{number}{power}", "params", "--params")
        for suffix in suffixes:
            assert parse_quantity(f"{number}{suffix}", "params", "--params") == plain
            assert parse_quantity(f"{number} {suffix} tokens", "tokens", "--tokens") == plain


@given(st.floats(min_value=1e-3, max_value=1e9))
def test_compute_units_agree(value: float) -> None:
    """One scale under all spellings of compute."""

    def flops(unit: str) -> float:
        return parse_quantity(f"{value!r} {unit}", "flops", "--flops")

    assert flops("PF-days") == value * PF_DAY
    assert flops("EF-days") == pytest.approx(1000 * flops("PF-days"), rel=1e-15)
    assert flops("PFLOP/s-hours") == pytest.approx(flops("PF-days") / 24, rel=1e-15)
    assert flops("ZFLOPs") == flops("zettaflop") == pytest.approx(value * 1e21, rel=1e-15)


def test_a_pf_day_is_a_petaflop_per_second_for_a_day() -> None:
    """The definition of Kaplan et al. 2020, section 1.3."""
    assert PF_DAY == 1e15 * 24 * 3600


SHOWN = [
    (None, "flops", "-"),
    (math.nan, "loss", "-"),
    (math.inf, "ratio", "-"),
    ("chinchilla", "text", "chinchilla"),
    (3.5, "text", "3.5"),
    (9.094e9, "params", "9.09B"),
    (1.4e12, "tokens", "1.4T"),
    (1.84e11, "tokens", "184B"),
    (1.2051e9, "count", "1.21B"),
    (999.6e6, "params", "1B"),
    (999.4e6, "params", "999M"),
    (999.6e3, "params", "1M"),
    (999.6, "count", "1k"),
    (12.5, "count", "12.5"),
    (0.5, "count", "0.5"),
    (0.0, "count", "0"),
    (-3e9, "count", "-3B"),
    (999.4e12, "tokens", "999T"),
    (999.6e12, "tokens", "1.00e15"),
    (1.2e15, "tokens", "1.20e15"),
    (sys.float_info.max, "flops", "1.8e308"),
    (sys.float_info.max, "params", "1.80e308"),
    (1e22, "flops", "1e22"),
    (5.76e23, "flops", "5.76e23"),
    (3.14496e23, "flops", "3.14e23"),
    (9.999e22, "flops", "1e23"),
    (6.0, "flops", "6e0"),
    (1e-7, "flops", "1e-7"),
    (0.0, "flops", "0"),
    (1.93658, "loss", "1.9366"),
    (2.0, "loss", "2.0000"),
    (-1e-9, "loss", "0.0000"),
    (1e300, "loss", "1e300"),
    (20.23, "ratio", "20.2"),
    (1.862, "ratio", "1.86"),
    (132.4, "ratio", "132"),
    (0.1479, "ratio", "0.148"),
    (12345.0, "ratio", "12300"),
    (99960.0, "ratio", "1e5"),
    (123456.0, "ratio", "1.23e5"),
    (0.00099996, "ratio", "0.001"),
    (0.000148, "ratio", "1.48e-4"),
    (20.0, "ratio", "20"),
    (3.14159, "number", "3.142"),
    (-3.14159, "number", "-3.142"),
    (-0.0, "number", "0"),
    (123456.0, "number", "1.235e5"),
    (0.00012345, "number", "1.234e-4"),
    (0.1234, "percent", "12.3 %"),
    (-0.00001, "percent", "0.0 %"),
    (1.0, "percent", "100.0 %"),
    (1e307, "percent", "-"),
    (1e-9, "over", "1e-7 %"),
    (0.0002, "over", "0.02 %"),
    (0.123, "over", "12.3 %"),
    (0.0, "over", "0.0 %"),
    (14e9, "bytes", "14.0 GB"),
    (1.4e12, "bytes", "1.4 TB"),
    (350.04e6, "bytes", "350.0 MB"),
    (400.0, "bytes", "0.4 kB"),
]


@pytest.mark.parametrize(("value", "kind", "text"), SHOWN)
def test_a_table_shows(value: float | str | None, kind: str, text: str) -> None:
    """Rounding, above all where it carries into the next suffix."""
    assert format_quantity(value, kind) == text


@pytest.mark.parametrize(
    ("value", "other", "kind", "texts"),
    [
        (15.0, 4.0, "ratio", ("15", "4")),
        (4.0, 4.0, "ratio", ("4", "4")),
        (7.0001e9, 7e9, "params", ("7.0001B", "7B")),
        (999.99e9, 1e12, "params", ("0.99999T", "1T")),
        (1.00004e22, 1e22, "flops", ("1.00004e22", "1e22")),
        (14.00001e9, 14e9, "bytes", ("14.00001 GB", "14 GB")),
        (0.12301, 0.123, "percent", ("12.301 %", "12.3 %")),
        (0.0050001, 0.005, "percent", ("0.50001 %", "0.5 %")),
        (400.001, 400.0, "bytes", ("0.400001 kB", "0.4 kB")),
        (2.00001, 2.0, "loss", ("2.00001", "2")),
        (math.nextafter(3.0, 4.0), 3.0, "ratio", ("3.0000000000000004", "3")),
        (math.nan, math.inf, "percent", ("-", "-")),
    ],
)
def test_two_values_that_differ_look_different(value: float, other: float, kind: str, texts: tuple[str, str]) -> None:
    assert format_apart(value, other, kind) == texts


@given(st.floats(1e-6, 1e25), st.floats(-1e-3, 1e-3), st.sampled_from(["params", "flops", "loss", "percent", "bytes"]))
def test_any_two_values_that_differ_look_different(value: float, share: float, kind: str) -> None:
    other = value * (1.0 + share)
    first, second = format_apart(value, other, kind)
    assert (first == second) == (value == other)


KINDS_SHOWN = ["params", "flops", "loss", "ratio", "number", "percent", "over", "bytes", "text"]


@given(st.floats(), st.sampled_from(KINDS_SHOWN))
@example(sys.float_info.max, "params")
@example(-sys.float_info.max, "number")
def test_any_float_can_be_shown_in_a_column(value: float, kind: str) -> None:
    """Narrow, and no float raises."""
    shown = format_quantity(value, kind)
    assert 0 < len(shown) <= 24
    assert "e+" not in shown or kind == "text"


@given(st.floats(min_value=1e-300, max_value=1.79e308), st.sampled_from(["params", "tokens", "flops"]))
def test_what_is_shown_can_be_read_back(value: float, kind: str) -> None:
    """Three digits are within 0.5 %, and showing twice changes nothing."""
    shown = format_quantity(value, kind)
    assert parse_quantity(shown, kind, "--x") == pytest.approx(value, rel=0.005)
    assert format_quantity(parse_quantity(shown, kind, "--x"), kind) == shown


@given(st.floats(min_value=1e-6, max_value=1e15), st.floats(min_value=1, max_value=1e3))
def test_a_larger_count_never_looks_smaller(value: float, factor: float) -> None:
    """Order survives rounding and the change of suffix."""
    first, second = (
        parse_quantity(format_quantity(count, "count"), "params", "--x") for count in (value, value * factor)
    )
    assert first <= second


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [("5.5bn", "params", 5.5e9), ("300 mn tokens", "tokens", 3e8), ("1.4tn", "tokens", 1.4e12), ("2BN", "number", 2e9)],
)
def test_short_words_for_powers_of_ten(text: str, kind: str, value: float) -> None:
    assert parse_quantity(text, kind, "--x") == value


@pytest.mark.parametrize("text", ["5.5GT", "300BT", "5.5 GTok", "5.5 milliards"])
def test_units_of_tokens_that_are_not_plain_words(text: str) -> None:
    with pytest.raises(InputError, match="not a number of tokens\n  expected a count of training tokens"):
        parse_quantity(text, "tokens", "--tokens")
