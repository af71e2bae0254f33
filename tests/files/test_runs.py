"""Runs: which column is what, what a number is, which rows count, and what is said about all of it."""

import hashlib
import math
import time
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scaling_cli.core.runs import Dropped, Runs
from scaling_cli.errors import FileError, InputError, ScalingError
from scaling_cli.files.headers import Header
from scaling_cli.files.runs import read_runs

GOOD = (
    "name,params,tokens,loss\nr0,1e8,1e9,3.6769\nr1,1e8,4e9,3.2536\nr2,2e8,4e9,3.0832\nr3,4e8,4e9,2.9493\n"
    "r4,4e8,3.2e10,2.6079\nr5,8e8,1.6e10,2.5891\nr6,1.6e9,1.6e10,2.5064\nr7,1.6e9,6.4e10,2.3529\nr8,3.2e9,6.4e10,2.2880\n"
)
HEAD = "name,params,tokens,loss\n"
LOSSES = [3.6769, 3.2536, 3.0832, 2.9493, 2.6079, 2.5891, 2.5064, 2.3529, 2.2880]
DERIVED = "flops: worked out from params and tokens, by C = 6ND"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.csv"


Read = Callable[..., Runs]


@pytest.fixture
def read(path: Path) -> Read:
    def write_and_read(text: str, **options: Any) -> Runs:
        path.write_text(text, encoding="utf-8", newline="")
        return read_runs(str(path), **options)

    return write_and_read


@pytest.fixture
def refusal(read: Read, path: Path) -> Callable[..., str]:
    def refuse(text: str, **options: Any) -> str:
        with pytest.raises(ScalingError) as caught:
            read(text, **options)
        assert caught.value.exit_code == 2
        return str(caught.value).removeprefix(f"{path}: ")

    return refuse


Refusal = Callable[..., str]


def table(*columns: str, rows: Iterable[Sequence[object]]) -> str:
    return "\n".join(",".join(map(str, line)) for line in [columns, *rows]) + "\n"


# the csv entries of the corpus of bad input, by their numbers there: what must be read, what must be refused
NOTED = {
    "C04": ("\ufeff" + GOOD, "", 9),
    "C08": (GOOD + "bad,1e9,2e10,inf\n", "1 row dropped", 9),
    "C14": (GOOD + "r0,1e8,1e9,3.6769\n", "duplicate", 9),
    "C15": (GOOD + "r9,1e8,1e9,3.6869\n", "same params and tokens", 10),
    "C21": (HEAD + "r0,0.1,1,3.6769\nr1,0.1,4,3.2536\nr2,3.2,64,2.2880\n", "billions", 3),
    "C22": (HEAD + "r0,1e8,1e9,16.9136\nr1,1e8,4e9,14.9665\nr2,2e8,4e9,14.1826\n", "perplexity", 3),
    "C23": (HEAD + "a,1e9,2e10,2.5\n", "", 1),
    "C27": (GOOD + "=cmd|' /C calc'!A0,1e9,2e10,2.5301\n", "", 10),
}
REFUSED = {
    "C02": (HEAD, "no rows"),
    "C03": ("1e9,1e10,2.5\n2e9,2e10,2.4\n", "header"),
    "C10": (HEAD + "a,1e9,2e10,-2.5\n", "row 1: loss is '-2.5'"),
    "C11": (HEAD + "a,1e9,2e10,0\n", "row 1: loss is '0'"),
    "C12": (HEAD + "a,0,2e10,2.5\n", "row 1: params is '0'"),
    "C13": (HEAD + "a,-1e9,2e10,2.5\n", "row 1: params is '-1e9'"),
    "C16": (HEAD + "a,1e9,2e10,2.5,extra\n", "row 1 has 5 fields"),
    "C17": (HEAD + "a,1e9,2e10\n", "row 1 has 3 fields"),
    "C18": (HEAD + 'a,"1e9,2e10,2.5\n', "quote"),
    "C19": ("params,params,tokens,loss\n1e9,1e9,2e10,2.5\n", "duplicate column"),
    "C26": ('Step,"run-a - train/loss","run-a - train/loss__MIN","run-a - train/loss__MAX"\n1,2.5,2.5,2.5\n', "W&B"),
    "C29": (HEAD + "a,1e9,2e10,2.5\0\n", "NUL"),
    "C41": (HEAD + "x" * 200_000 + ",1e9,2e10,2.5\n", "field"),
}


@pytest.mark.parametrize("number", NOTED)
def test_corpus_read(read: Read, number: str) -> None:
    text, words, used = NOTED[number]
    runs = read(text)
    assert runs.used == len(runs.rows) == len(runs.columns["loss"]) == used
    assert words in " ".join(runs.notes)
    if not words:
        assert runs.notes == (DERIVED,)


@pytest.mark.parametrize(
    ("marked", "note"),
    [
        (["r2"], "1 row begins with # (row 3): it counts as a run; a line that is removed leaves its run out"),
        (
            ["r2", "r3"],
            "2 rows begin with # (rows 3, 4): they count as runs; a line that is removed leaves its run out",
        ),
    ],
)
def test_a_run_that_looks_like_a_comment_counts_and_is_told(read: Read, marked: list[str], note: str) -> None:
    text = GOOD
    for name in marked:
        text = text.replace(name, f"#{name}")
    runs = read(text)
    assert runs.used == 9
    assert note in runs.notes
    assert not [told for told in read(text, where="params > 1e9").notes if "#" in told]


@pytest.mark.parametrize("text", [GOOD.replace("\nr", "\n#"), GOOD.replace("r2", "#N/A")])
def test_names_that_all_begin_so_and_missing_ones_are_none(read: Read, text: str) -> None:
    assert not [note for note in read(text).notes if "#" in note]


def test_a_number_behind_the_mark_of_a_comment(refusal: Refusal) -> None:
    message = refusal("params,tokens,loss\n1e8,1e9,3\n#2e8,1e9,2.9\n")
    assert "row 2: params is '#2e8'" in message
    assert "it begins with #: comments stand before the header alone, remove it" in message


@pytest.mark.parametrize("number", REFUSED)
def test_corpus_refused(refusal: Refusal, number: str) -> None:
    text, words = REFUSED[number]
    start = time.perf_counter()
    message = refusal(text)
    assert time.perf_counter() - start < 2
    assert words in message
    assert message.isascii()
    assert len(message) < 1000


def test_what_runs_hold(read: Read, path: Path) -> None:
    runs = read(GOOD + "bad,1e9,2e10,\n" + "r1,1e8,4e9,3.2536\n" * 7)
    assert list(runs.columns) == ["params", "tokens", "loss", "flops"]
    assert runs.columns["loss"] == LOSSES
    assert runs.columns["flops"][0] == 6e17
    assert runs.labels == {}
    assert runs.rows == list(range(1, 10))
    assert (runs.read, runs.used) == (17, 9)
    assert runs.dropped == (
        Dropped("no finite loss", 1, (10,)),
        Dropped("exact duplicate of an earlier row", 7, (11, 12, 13, 14, 15, 16, 17)),
    )
    assert runs.notes == (
        "1 row dropped: no finite loss (row 10)",
        "7 rows dropped: exact duplicate of an earlier row (rows 11, 12, 13, 14, 15, ...)",
        DERIVED,
    )
    assert runs.path == str(path)
    assert runs.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


class TestNames:
    @pytest.mark.parametrize(
        "header",
        [
            *("N,D,L", "Params,TOKENS,Loss", "n_params,num_tokens,val_loss", "Model Size,train tokens,valid/loss"),
            *("config.params,config.tokens,summary.loss", "params.N,params.D,metrics.eval/loss", "size,D,Final Loss"),
            *("non_embedding_params,tokens_seen,test_loss", "n,d,l", "numParams,trainTokens,valLoss", "N,D,train/loss"),
        ],
    )
    def test_usual_names(self, read: Read, header: str) -> None:
        runs = read(f"{header}\n1e8,1e9,3.5\n2e8,1e10,3\n")
        assert runs.columns == {
            "params": [1e8, 2e8],
            "tokens": [1e9, 1e10],
            "loss": [3.5, 3.0],
            "flops": [6e17, 1.2e19],
        }

    def test_unusual_ones_are_said(self, read: Read) -> None:
        assert read("N,tokens,eval/loss\n1e8,1e9,3\n").notes == (
            "params: column 'N'",
            "loss: column 'eval/loss'",
            DERIVED,
        )

    @pytest.mark.parametrize(
        ("header", "role", "both"),
        [
            ("params,tokens,loss,val_loss", "loss", "'loss' or 'val_loss'"),
            ("params,tokens,eval/loss,test_loss", "loss", "'eval/loss' or 'test_loss'"),
            ("N,tokens,loss,params", "params", "'N' or 'params'"),
            ("params,D,loss,num_tokens", "tokens", "'D' or 'num_tokens'"),
            ("params,Tokens,loss,tokens", "tokens", "'Tokens' or 'tokens'"),
        ],
    )
    def test_two_candidates(self, refusal: Refusal, read: Read, header: str, role: str, both: str) -> None:
        text = f"{header}\n1e8,1e9,3,4\n"
        message = refusal(text)
        assert message.startswith(f"{role} could be {both}")
        first = both.split("'")[1]
        assert f"--columns {role}={first}" in message
        assert read(text, columns={role: first}).used == 1

    @pytest.mark.parametrize(
        "header",
        [
            *("params,tokens,loss,train_loss", "params,tokens,loss,loss_c4", "params,tokens,loss,params_non_embedding"),
            *("params,tokens,loss,d", "params,tokens,loss,n", "params,tokens,loss,flop_count", "params,tokens,loss,l"),
        ],
    )
    def test_no_candidate_beside_a_usual_name(self, read: Read, header: str) -> None:
        assert read(f"{header}\n1e8,1e9,3,4\n").columns["loss"] == [3.0]

    def test_ambiguity_of_what_nobody_asked_for(self, read: Read) -> None:
        runs = read("params,tokens,loss,flops,total_flops\n1e8,1e9,3,1,2\n")
        assert "flops" not in runs.columns
        assert runs.notes == ()

    def test_missing(self, refusal: Refusal) -> None:
        message = refusal("params,tokens,loss_c4\n1e8,1e9,3\n")
        assert message.startswith("has no column for loss\n  is it 'loss_c4'?\n  expected one named loss, L, val_loss")
        assert "--columns loss=NAME" in message
        assert message.endswith("its columns: 'params', 'tokens', 'loss_c4'")
        assert "any two are enough" in refusal("params,loss\n1e8,3\n")

    def test_a_hostile_header_is_not_echoed(self, refusal: Refusal) -> None:
        message = refusal("par\x1b[31mams,tok\u202eens,loss\n1,2,3\n")
        assert message.replace("\n", "").isprintable()

    def test_a_thousand_columns(self, read: Read) -> None:
        """Of which most are named like the metrics of a tracker."""
        names = [f"metrics.layer{i}/grad_norm" for i in range(3000)]
        start = time.perf_counter()
        runs = read(table("params", "tokens", "loss", *names, rows=[(10**i, 10**i, 3, *names) for i in range(6, 16)]))
        assert runs.used == 10
        assert time.perf_counter() - start < 2


class TestChosenColumns:
    def test_a_name(self, read: Read) -> None:
        text = "size,tokens,loss,valid/loss\n1e8,1e9,3,3.5\n"
        assert read(text, columns={"loss": "valid/loss"}).columns["loss"] == [3.5]
        assert read(text, columns={"loss": " valid_loss "}).columns["loss"] == [3.5]

    def test_a_formula(self, read: Read) -> None:
        text = "size,D,ppl\n0.1,2,20\n"
        columns = {"params": "1e9*size", "tokens": "D*1e9", "loss": "log(ppl)"}
        runs = read(text, columns=columns)
        assert runs.columns == {"params": [1e8], "tokens": [2e9], "loss": [math.log(20.0)], "flops": [6 * 1e8 * 2e9]}
        assert runs.notes == (DERIVED,)

    def test_a_usual_name_that_the_table_lacks_is_no_circle(self, refusal: Refusal) -> None:
        message = refusal(GOOD, columns={"params": "1e9*size"})
        assert message.startswith("has no column for size\n  is it 'params'?")

    def test_a_quantity_of_itself_is_the_column(self, read: Read) -> None:
        """Under its own name or a usual one."""
        for header in ("params", "N", "model size"):
            runs = read(f"{header},tokens,loss\n0.1,1e9,3\n", columns={"params": "params*1e9"})
            assert runs.columns["params"] == [1e8]

    def test_a_quantity_of_another_is_what_was_chosen_for_it(self, read: Read) -> None:
        columns = {"tokens": "20*params", "params": "params*1e9"}
        assert read("params,loss\n0.1,3\n", columns=columns).columns["tokens"] == [2e9]
        assert read("N,D,loss\n1e8,2e9,3\n", columns={"M": "tokens/params"}, extra=["M"]).columns["M"] == [20.0]

    def test_constants(self, read: Read) -> None:
        columns = {"flops": "PF*days", "tokens": "3e11"}
        runs = read("days,loss\n1,3\n2,2.5\n", columns=columns)
        assert runs.columns["params"] == [8.64e19 / 1.8e12, 2 * 8.64e19 / 1.8e12]
        assert read("pi,params,tokens,loss\n2,1e8,1e9,3\n", columns={"x": "pi"}, extra=["x"]).columns["x"] == [2.0]

    @pytest.mark.parametrize(
        ("columns", "words"),
        [
            ({"params": "1e9*("}, "'params': cannot parse '1e9*('"),
            ({"params": "__import__('os')"}, "'params': only exp log"),
            ({"params": "width*2"}, "has no column 'width'"),
            ({"params": "tokens/20", "tokens": "20*params"}, "is worked out from itself"),
            ({"parms": "1e9*params"}, "--columns 'parms': nothing asks for it\n  did you mean params?"),
            ({"loss": ""}, "'loss': cannot parse ''"),
        ],
    )
    def test_refused(self, refusal: Refusal, columns: dict[str, str], words: str) -> None:
        assert words in refusal(GOOD, columns=columns)

    def test_a_formula_without_a_value(self, refusal: Refusal, read: Read) -> None:
        text = table("params", "tokens", "x", "loss", rows=[(1e8, 1e9, 1, 3), (1e8, 2e9, 0, 3), (2e8, 1e9, 2, "")])
        assert refusal(text, columns={"tokens": "1e9/x"}).startswith("row 2: tokens is 'nan', not a finite number")
        assert refusal(text, columns={"loss": "log(x)-1"}).startswith("row 1: loss is '-1', but it must be greater")
        assert refusal(text, columns={"loss": "log(x-1)+1"}).startswith("row 1: loss is 'nan'")
        assert read(text, columns={"tokens": "1e9/x"}, where="x > 0").used == 1


class TestCompute:
    def test_tokens_from_flops(self, read: Read) -> None:
        runs = read("params,flops,loss\n1e8,6e17,3\n")
        assert runs.columns["tokens"] == [1e9]
        assert runs.notes == ("tokens: worked out from params and flops, by C = 6ND",)

    def test_params_from_flops(self, read: Read) -> None:
        assert read("C,D,loss\n6e17,1e9,3\n").columns["params"] == [1e8]

    def test_flops_alone_may_be_needed(self, read: Read) -> None:
        runs = read("N,D,loss\n1e8,1e9,3\n", needed=("flops", "loss"))
        assert list(runs.columns) == ["flops", "loss", "params", "tokens"]
        assert DERIVED in runs.notes

    def test_all_three_are_used_as_given(self, read: Read) -> None:
        text = "params,tokens,flops,loss\n1e8,1e9,6e17,3\n1e8,2e9,1.8e18,2.9\n1e8,3e9,2.7e18,2.8\n"
        runs = read(text)
        assert runs.columns["flops"] == [6e17, 1.8e18, 2.7e18]
        assert runs.notes == (
            "flops are used as given: 1.5 x 6ND (median over the runs, half of which lie from 1 to 1.5); "
            "--flops-from 6nd works them out anew",
        )

    def test_flops_in_one_ratio_to_6nd(self, read: Read) -> None:
        text = "params,tokens,flops,loss\n1e8,1e9,1.3e18,3\n1e8,2e9,2.6e18,2.9\n"
        assert read(text).notes == (
            "flops are used as given: 2.17 x 6ND (median over the runs); --flops-from 6nd works them out anew",
        )

    @pytest.mark.parametrize(
        ("flops", "said"),
        [
            ("6e17", "flops are used as given: 1 x 6ND (median over the runs)"),
            ("6.06e17", "flops are 1.01 x 6ND (median over the runs): near enough for a law of params and tokens to "
                        "count them as 6ND"),
        ],
    )  # fmt: skip
    def test_flops_near_6nd(self, flops: str, said: str, read: Read) -> None:
        assert read(f"params,tokens,flops,loss\n1e8,1e9,{flops},3\n").notes == (said,)

    def test_flops_in_another_unit_are_asked_about(self, read: Read) -> None:
        (note,) = read("params,tokens,flops,loss\n1e8,1e9,6e17,3\n", columns={"flops": "flops*1e-20"}).notes[:1]
        assert note.startswith("flops are 1e-20 x 6ND (median over the runs): another unit?")

    def test_flops_worked_out_anew(self, read: Read) -> None:
        text = "params,tokens,flops,loss\n1e8,1e9,1e18,3\n"
        runs = read(text, flops_from="6nd", where="flops < 7e17")
        assert runs.columns["flops"] == [6e17]
        assert runs.notes == ("1 of 1 rows satisfy flops < 7e17", DERIVED)

    def test_flops_cannot_be_worked_out_anew_from_themselves(self, refusal: Refusal) -> None:
        assert "has no column for tokens" in refusal("params,flops,loss\n1e8,6e17,3\n", flops_from="6nd")
        assert "both given" in refusal(GOOD, flops_from="6nd", columns={"flops": "tokens"})
        assert "--flops-from is '8nd'" in refusal(GOOD, flops_from="8nd")

    def test_flops_that_nobody_asked_for_may_be_missing(self, read: Read, refusal: Refusal) -> None:
        text = "params,tokens,flops,loss\n1e8,1e9,6e17,3\n2e8,1e9,,2.9\n3e8,1e9,abc,2.8\n"
        runs = read(text)
        assert "flops" not in runs.columns
        assert runs.notes == ("flops is left aside: not every run has it",)
        assert refusal(text, extra=["flops"]).startswith("row 2: flops is '', an empty value")

    def test_no_compute_where_none_is_asked_for(self, read: Read) -> None:
        runs = read("x,y,c,d\n1,-2,3,4\n", needed=("x", "y"))
        assert runs.columns == {"x": [1.0], "y": [-2.0]}
        assert runs.notes == ()


class TestNumbers:
    def test_as_people_write_them(self, read: Read) -> None:
        text = (
            "params,tokens,flops,loss\n70B,1.4T,5.76e23 FLOPs,1.94\n"
            '125m,15 trillion," 3640 PF-days","2.5"\n1_000_000,2e9 tokens,1 ZFLOP,3\n'
        )
        columns = read(text).columns
        assert columns["params"] == [7e10, 1.25e8, 1e6]
        assert columns["tokens"] == [1.4e12, 1.5e13, 2e9]
        assert columns["flops"] == pytest.approx([5.76e23, 3640 * 8.64e19, 1e21])
        assert columns["loss"] == [1.94, 2.5, 3.0]

    def test_in_a_column_of_any_name(self, read: Read) -> None:
        assert read("N,D,loss,corpus\n1e8,1e9,3,4B\n", extra=["corpus"]).columns["corpus"] == [4e9]

    @pytest.mark.parametrize(
        ("cell", "words"),
        [
            ("abc", "row 2: loss is 'abc', not a number"),
            ("diverged", "row 2: loss is 'diverged', not a number"),
            ('"2,81"', "row 2: loss is '2,81', which has commas"),
            ("-1", "row 2: loss is '-1', but it must be greater than zero"),
            ("\u0662\u066b8", "row 2: loss is '\\u0662\\u066b8', not plain ASCII"),
            ("1e-400", "row 2: loss is '1e-400', too small to tell from zero"),
        ],
    )
    def test_no_loss(self, refusal: Refusal, cell: str, words: str) -> None:
        assert refusal(f"params,tokens,loss\n1e8,1e9,3\n1e8,1e9,{cell}\n").startswith(words)

    @pytest.mark.parametrize("cell", ["", "nan", "NaN", "inf", "-inf", "Infinity", "null", "None", "N/A", "-", "1e999"])
    def test_a_run_without_a_loss_is_dropped(self, read: Read, cell: str) -> None:
        runs = read(f"params,tokens,loss\n1e8,1e9,3\n,{cell},{cell}\n2e8,1e9,2.9\n")
        assert runs.rows == [1, 3]
        assert runs.dropped == (Dropped("no finite loss", 1, (2,)),)

    @pytest.mark.parametrize(
        ("cell", "shown"), [("", "''"), ("nan", "'nan'"), ("inf", "'inf'"), ("x", "'x'"), ("0", "'0'")]
    )
    @pytest.mark.parametrize("name", ["params", "tokens"])
    def test_a_run_without_params_or_tokens_is_refused(
        self, refusal: Refusal, read: Read, name: str, cell: str, shown: str
    ) -> None:
        """And the hint helps, unless the cell is a text, which no number compares with."""
        other = "tokens" if name == "params" else "params"
        text = table(name, other, "loss", rows=[(1e8, 1e9, 3), (cell, 1e9, 2.9)])
        message = refusal(text)
        assert message.startswith(f"row 2: {name} is {shown}")
        where = f"{name} < 1e99" if cell == "inf" else f"{name} > 0"
        assert f'--where "{where}"' in message or cell == "x"
        if cell != "x":
            assert read(text, where=where).rows == [1]

    def test_in_a_column_that_blanks_and_texts_interrupt(self, read: Read, refusal: Refusal) -> None:
        """Row by row, in more rows than are read at a time."""
        cells = ["2M", " 2M ", "", "2e6", "n/a", "2_000_000"] * 100
        runs = read(table("N", "x", rows=enumerate(cells, 1)), needed=("N", "x"))
        assert runs.columns["x"] == [2e6] * 400
        assert runs.rows == [row for row, cell in enumerate(cells, 1) if cell not in ("", "n/a")]
        assert refusal(table("N", "x", rows=enumerate([*cells, "tbd"], 1)), needed=("N", "x")).startswith("row 601: x")

    def test_the_same_text_is_another_number_in_another_column(self, read: Read, refusal: Refusal) -> None:
        text = "params,tokens,flops,loss\n1 ZFLOP,1e9,1 ZFLOP,3\n"
        assert refusal(text).startswith("row 1: params is '1 ZFLOP'")
        assert read(text.replace("1 ZFLOP", "1e21", 1)).columns["flops"] == [1e21]

    def test_a_text_in_a_row_that_is_left_out(self, read: Read) -> None:
        text = "set,params,tokens,loss\na,1e8,1e9,3\nb,unknown,1e9,2\na,tbd,1e9,\n"
        assert read(text, where="set == 'a'").rows == [1]

    def test_the_target_is_the_last_that_is_needed(self, read: Read) -> None:
        runs = read("x,y\n1,\n2,-3\n3,0\n", needed=("x", "y"))
        assert runs.columns == {"x": [2.0, 3.0], "y": [-3.0, 0.0]}
        assert runs.notes == ("1 row dropped: no finite y (row 1)",)

    def test_other_columns_may_not_be_missing(self, refusal: Refusal) -> None:
        assert refusal("x,y\n,1\n", needed=("x", "y")).startswith("row 1: x is '', an empty value")
        assert refusal("N,D,loss,w\n1,1,1,\n", extra=["w"]).startswith("row 1: w is ''")

    def test_a_run_of_weight_0_is_dropped(self, read: Read, refusal: Refusal) -> None:
        text = "N,D,loss,w\n1e8,1e9,3,0\n,,2,0.0\n2e8,1e9,,0\n2e8,1e9,2,-0\n2e8,1e9,2,1\n2e8,1e9,2,2\n"
        runs = read(text, weights="w")
        assert (runs.read, runs.used, runs.rows) == (6, 2, [5, 6])
        assert runs.columns["w"] == [1.0, 2.0]
        assert runs.dropped == (Dropped("no finite loss", 1, (3,)), Dropped("weight 0", 3, (1, 2, 4)))
        assert "3 rows dropped: weight 0 (rows 1, 2, 4)" in runs.notes
        assert read(text, weights="w / 2").columns["w / 2"] == [0.5, 1.0]
        assert read(text, weights="w", where="params == 2e8").dropped[-1] == Dropped("weight 0", 1, (4,))
        assert refusal(text, weights="0 * w").startswith("has no rows left: 1 no finite loss; 5 weight 0")
        assert refusal("N,D,loss,w\n1,1,1,\n", weights="w").startswith("row 1: w is ''")

    def test_a_formula_may_be_needed(self, read: Read) -> None:
        assert read("x,y\n1,1\n2,\n", needed=("x", "log(y)")).columns == {"x": [1.0], "log(y)": [0.0]}


class TestRows:
    def test_where(self, read: Read) -> None:
        text = "N,D,loss,subset,seed\n1e8,1e9,3.5,hot,1\n2e8,1e9,3.4,hot,2\n4e8,1e9,3.3, cold,1\n8e8,1e9,3.2,hot ,1\n"
        runs = read(text, where="flops < 4e18 and subset == 'hot'")
        assert runs.rows == [1, 2]
        assert runs.labels == {"subset": ["hot", "hot"]}
        assert runs.dropped == (Dropped("outside --where", 2, (3, 4)),)
        assert runs.notes[0] == "2 of 4 rows satisfy flops < 4e18 and subset == 'hot'"
        assert read(text, where="params > 1e8 and seed == 1").rows == [3, 4]
        assert read(text, where="seed == '1'").labels == {"seed": ["1", "1", "1"]}
        assert read(text, where="1 < 2").used == 4

    @pytest.mark.parametrize("name", ["nll", "cross_entropy", "val/ce_loss"])
    def test_a_name_of_a_loss_that_is_taken_last(self, read: Read, name: str) -> None:
        runs = read(GOOD.replace("loss", name, 1))
        assert runs.columns["loss"] == LOSSES
        assert f"loss: column '{name}'" in runs.notes
        beside = read(table("params", "tokens", name, "train_loss", rows=[(1e8, 1e9, 9, 3)]))
        assert beside.columns["loss"] == [3.0]

    def test_where_counts_rows_as_messages_do(self, read: Read) -> None:
        runs = read(GOOD, where="row != 3 and row < 6 and tokens > 1e9")
        assert runs.rows == [2, 4, 5]
        assert runs.notes[0] == "3 of 9 rows satisfy row != 3 and row < 6 and tokens > 1e9"

    @pytest.mark.parametrize("options", [{}, {"columns": {"row": "params/1e8", "loss": "loss + 0*row"}}])
    def test_where_means_a_column_that_is_named_row(self, read: Read, options: dict[str, Any]) -> None:
        text = table("row", "params", "tokens", "loss", rows=[(7, 7e8, 1e9, 3), (8, 8e8, 1e9, 2)])
        assert read(text, where="row == 8", **options).rows == [2]

    def test_where_speaks_of_quantities_as_they_are_used(self, read: Read) -> None:
        text = "params,tokens,loss\n0.1,1e9,3\n10,1e9,2.9\n"
        assert read(text, columns={"params": "params*1e9"}, where="params > 1e9 and N > 1e9").rows == [2]
        assert read(text, columns={"N": "params*1e9"}, where="N > 1e9 and params < 100").rows == [2]

    @pytest.mark.parametrize(
        ("where", "words"),
        [
            ("loss <", "--where: cannot parse 'loss <'"),
            ("lr < 1", "has no column 'lr'"),
            ("split == 'x'", "has no column 'split'"),
            ("loss > 100", "has no rows left: 9 outside --where"),
            ("1/(tokens - 1e9) > 0", "row 1: --where has a division by zero"),
            ("name < 5", "row 1: name is 'r0', not a number"),
        ],
    )
    def test_where_refused(self, refusal: Refusal, where: str, words: str) -> None:
        assert words in refusal(GOOD, where=where)

    def test_a_text_compared_as_a_number(self, refusal: Refusal) -> None:
        assert "a text is compared in quotes: subset == 'hot'" in refusal(GOOD, where="name == 5")

    def test_group(self, read: Read, refusal: Refusal) -> None:
        assert read(GOOD, group="params").labels == {
            "params": ["1e8", "1e8", "2e8", "4e8", "4e8", "8e8", "1.6e9", "1.6e9", "3.2e9"]
        }
        assert read(GOOD, group="name", where="name != 'r0'").labels["name"][0] == "r1"
        assert refusal(GOOD + ",1e9,1e9,2\n", group="name").startswith("row 10: 'name' is empty")
        assert "has no column 'seed'" in refusal(GOOD, group="seed")

    def test_a_column_may_group_the_runs_and_select_them(self, read: Read) -> None:
        runs = read(GOOD, group="params", where="params > 1e9 and name != 'r6'")
        assert runs.labels == {"name": ["r7", "r8"], "params": ["1.6e9", "3.2e9"]}
        assert runs.columns["params"] == [1.6e9, 3.2e9]

    def test_nothing_left(self, refusal: Refusal) -> None:
        assert refusal(HEAD + "a,1e8,1e9,\nb,1e8,1e9,nan\n").startswith("has no rows left: 2 no finite loss")

    def test_a_copy_is_a_copy_in_every_column(self, read: Read) -> None:
        runs = read("seed,N,D,loss\n1,1e8,1e9,3\n2,1e8,1e9,3\n1,1e8,1e9,3\n")
        assert runs.rows == [1, 2]
        assert "1 run has the same params and tokens as an earlier one; kept: their losses tell the noise" in runs.notes

    def test_replicates_share_everything_but_the_target(self, read: Read) -> None:
        text = "N,D,U,loss\n1e8,1e9,1e8,3\n1e8,1e9,1e9,2.9\n"
        assert any("same params and tokens" in note for note in read(text).notes)
        assert not any("same" in note for note in read(text, extra=["U"]).notes)

    def test_unfinished_runs(self, read: Read) -> None:
        text = table(
            "State",
            "N",
            "D",
            "loss",
            rows=[("finished", 1e8, 1e9, 3), ("crashed", 2e8, 1e9, 4), ("running", 3e8, 1e9, 5)],
        )
        (note,) = [note for note in read(text).notes if "end" in note]
        where = "State != 'crashed' and State != 'running'"
        assert (
            note
            == f"not every run has come to its end (1 'crashed', 1 'running'): --where \"{where}\" leaves those out"
        )
        runs = read(text, where=where)
        assert runs.rows == [1]
        assert not any("end" in note for note in runs.notes)


class TestUnits:
    def test_billions(self, read: Read) -> None:
        text = "size,D,loss\n0.1,1,3\n7,300,2\n"
        notes = read(text, columns={"params": "size*2"}).notes
        assert "params are all below 1e5: are they billions? --columns params=(size*2)*1e9" in notes
        assert "tokens are all below 1e5: are they billions? --columns tokens=tokens*1e9" in notes
        fixed = read(text, columns={"params": "(size*2)*1e9", "tokens": "tokens*1e9"})
        assert fixed.columns["params"] == [2e8, 1.4e10]
        assert fixed.notes == (DERIVED,)

    def test_one_large_value_is_enough(self, read: Read) -> None:
        assert "billions" not in " ".join(read("N,D,loss\n1e3,1e9,3\n1e5,1e9,2\n").notes)

    def test_logarithms(self, read: Read) -> None:
        notes = read("N,tokens,flops,loss\n1e8,1e9,17.8,3\n").notes
        assert "flops are all below 1e5: are they logarithms? --columns flops=10**flops" in notes

    def test_perplexity(self, read: Read) -> None:
        text = "N,D,eval/loss\n1e8,1e9,30\n1e9,1e9,20\n2e9,1e9,7\n"
        assert "--columns loss=log(loss) reads perplexity" in read(text).notes[-1]
        assert "--columns loss=log(eval_loss) reads perplexity" in read(text, columns={"loss": "eval/loss"}).notes[-1]
        assert read(text, columns={"loss": "log(eval_loss)"}).columns["loss"][0] == math.log(30)
        assert "perplexity" not in " ".join(read("N,D,loss\n1e8,1e9,11\n1e9,1e9,7\n2e9,1e9,7\n").notes)


WANDB_RUNS = (
    '"Name","State","Notes","User","Tags","Created","Runtime","Sweep","n_params","tokens","eval/loss","lr","_runtime"\n'
    '"cosmic-1","finished","-","ann","scaling","2024-05-01T10:00:00.000Z","3600","","124475904","2500000000","3.2812",'
    '"0.0006","3599.1"\n'
    '"cosmic-2","finished","-","ann","scaling, ""hot""","2024-05-01T11:00:00.000Z","7200","","354871296","7100000000",'
    '"2.9155","0.0003","7199"\n'
    '"cosmic-3","crashed","-","ann","scaling","2024-05-01T12:00:00.000Z","60","","774090752","","","0.0002","60"\n'
)
MLFLOW_RUNS = (
    "run_id,experiment_id,status,artifact_uri,start_time,end_time,metrics.val_loss,metrics.tokens,params.n_params,"
    "params.lr,tags.mlflow.runName\n"
    "0a1,1,FINISHED,./mlruns/1/0a1,2024-05-01 10:00:00+00:00,2024-05-01 11:00:00+00:00,3.2812,2500000000.0,124475904,"
    "0.0006,calm-1\n"
    "0a2,1,FINISHED,./mlruns/1/0a2,2024-05-01 10:00:00+00:00,2024-05-01 12:00:00+00:00,2.9155,7100000000.0,354871296,"
    "0.0003,calm-2\n"
    "0a3,1,FAILED,./mlruns/1/0a3,2024-05-01 10:00:00+00:00,,,,774090752,0.0002,calm-3\n"
)


@pytest.mark.parametrize("text", [WANDB_RUNS, MLFLOW_RUNS], ids=["wandb", "mlflow"])
def test_exports_of_run_tables(read: Read, text: str) -> None:
    runs = read(text)
    assert runs.columns["params"] == [124475904.0, 354871296.0]
    assert runs.columns["tokens"] == [2.5e9, 7.1e9]
    assert runs.columns["loss"] == [3.2812, 2.9155]
    assert runs.dropped == (Dropped("no finite loss", 1, (3,)),)
    assert read(text, where="lr > 5e-4").rows == [1]


@pytest.mark.parametrize(
    "header",
    [
        '"Step","run-a - train/loss","run-a - train/loss__MIN","run-a - train/loss__MAX"',
        '"Step","run-a - _step","run-a - _step__MIN","run-a - _step__MAX","run-a - loss","loss","params","tokens"',
        '"Relative Time (Process)","run-a - train/loss"',
        '"Step","a - loss","b - loss"',
    ],
)
def test_exports_of_charts(refusal: Refusal, header: str) -> None:
    message = refusal(header + "\n" + ",".join("1" * header.count('","')) + ",1\n")
    assert message.startswith("is a W&B chart export")
    assert "runs table" in message


def test_json_lines(read: Read) -> None:
    lines = [
        '{"config": {"n_params": 1e8, "width": 64}, "tokens": "1.4B", "summary": {"val_loss": 3.5}, "ok": true}',
        '{"config": {"n_params": 200000000}, "tokens": 2e9, "summary": {"val_loss": NaN}, "ok": true}',
        '{"config": {"n_params": 3e8}, "tokens": 2e9, "summary": {"val_loss": 3.1}, "ok": false}',
        '{"tokens": 2e9, "ok": false, "summary": {"val_loss": 3.1}, "config": {"n_params": 3e8}}',
    ]
    runs = read("\n".join(lines))
    assert runs.columns["tokens"] == [1.4e9, 2e9]
    assert [(dropped.reason.split()[0], dropped.rows) for dropped in runs.dropped] == [("no", (2,)), ("exact", (4,))]
    assert read("\n".join(lines), where="ok == 'false'").rows == [3]


def test_a_long_table_in_bounded_time_and_memory(path: Path) -> None:
    """A tenth of a million runs; a million take ten times as much of each."""
    with path.open("w") as file:
        file.write("params,tokens,flops,loss\n")
        file.writelines(
            f"{n}e6,{d}e6,{6 * n * d}e12,{2 + 1 / n + 1 / d}\n" for n in range(1, 101) for d in range(1, 1001)
        )
    start = time.perf_counter()
    assert read_runs(str(path)).used == 100_000
    assert time.perf_counter() - start < 3
    tracemalloc.start()
    runs = read_runs(str(path), where="params < 2e7")
    assert tracemalloc.get_traced_memory()[1] < 5e7
    tracemalloc.stop()
    assert runs.used == 19_000


def attempt(path: Path, text: str, **options: Any) -> str:
    """Return what came of any text at all; anything but a ScalingError is our bug."""
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        runs = read_runs(str(path), **options)
    except (FileError, InputError) as error:
        return str(error).removeprefix(str(path))
    assert runs.used == len(runs.rows) > 0
    assert runs.read == runs.used + sum(dropped.count for dropped in runs.dropped)
    assert all(len(values) == runs.used and all(map(math.isfinite, values)) for values in runs.columns.values())
    return "read"


CELLS = st.sampled_from([
    *("params", "tokens", "loss", "N", "flops", "name", "1e8", "1e9", "3", "0", "-1", "nan", "", "70B", " - a__MIN"),
    "abc",
    *('"', "\n", ",", "\t", ";", "\r", "{", "[", '"a":', "}", "\ufeff", "é", "\x1b", "1e999", "true", " ", "\0"),
])  # fmt: skip
GRIDS = st.tuples(
    st.permutations(["params", "tokens", "loss", "C", "set"]),
    st.lists(st.lists(CELLS, min_size=5, max_size=5), max_size=6),
).map(lambda grid: "\n".join(",".join(row) for row in [grid[0], *grid[1]]))
ANYTHING = st.one_of(st.text(), st.lists(CELLS, max_size=40).map("".join), GRIDS)
FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(ANYTHING)
@example("\ud800")
@example('{"a": "\\ud800", "N": 1, "D": 1, "loss": 1}')
@example('{"\\ud800": 1, "N": 1, "D": 1}')
@example('{"N": 1' + "0" * 400 + ', "D": 1, "loss": 1}')
@example("{" * 5000)
@example('{"a":' * 900 + "1" + "}" * 900)
@example('"a\nb",params,tokens,loss\n"c\nd",1,1,1')
def test_any_text_is_read_or_refused(path: Path, text: str) -> None:
    message = attempt(path, text)
    message.encode()
    assert not any(character in message for character in "\x1b\0\r\u202e")


@FUZZ
@given(
    st.one_of(st.text(), st.sampled_from(["params", "loss", "1/0", "log(0)", "name", "PF", "params**params", "-loss"])),
    st.text(),
)
@example("loss/(loss-3.6769)", "params < 1/(loss-3.6769)")
@example("\ud800", "name == '\ud800'")
def test_any_option_is_understood_or_refused(path: Path, text: str, where: str) -> None:
    attempt(path, GOOD, columns={"loss": text}).encode("utf-8", "surrogatepass")
    attempt(path, GOOD, columns={text: "params"}, extra=[text], where=where)
    attempt(path, GOOD, needed=("params", text), group=text, flops_from=text)


class TestNestedNames:
    """Trackers join what is nested by dots and slashes: the last part says what a column is, where only one does."""

    @pytest.mark.parametrize(
        ("header", "taken"),
        [
            ("config.model.num_params,config.data.tokens,eval/loss", ("config.model.num_params", "config.data.tokens")),
            ("config/model/n_params,train/data/tokens_seen,loss", ("config/model/n_params", "train/data/tokens_seen")),
            ("params.model.total_params,params.data.train_tokens,metrics.eval/c4/loss", ("params.model.total_params",)),
        ],
    )
    def test_the_last_part_is_enough(self, read: Read, header: str, taken: tuple[str, ...]) -> None:
        runs = read(f"{header}\n1e8,1e9,3.5\n2e8,1e10,3\n")
        assert (runs.columns["params"], runs.columns["tokens"]) == ([1e8, 2e8], [1e9, 1e10])
        assert all(any(f"column '{name}'" in note for note in runs.notes) for name in taken)

    @pytest.mark.parametrize(
        ("header", "both"),
        [
            ("params,tokens,train/loss,eval/c4/loss", "loss could be 'train/loss' or 'eval/c4/loss'"),
            ("params,tokens,eval/c4/loss,eval/pile/loss", "loss could be 'eval/c4/loss' or 'eval/pile/loss'"),
            ("draft.net.params,config.net.params,tokens,loss", "params could be 'draft.net.params' or"),
        ],
    )
    def test_of_several_the_user_chooses(self, refusal: Refusal, header: str, both: str) -> None:
        assert refusal(f"{header}\n1e8,1e9,3,4\n").startswith(both)

    @pytest.mark.parametrize("name", ["batch.tokens", "eval/tokens", "optim.d", "batch.size", "micro_batch/num_tokens"])
    def test_a_last_part_that_means_something_else(self, refusal: Refusal, name: str) -> None:
        assert refusal(f"config.model.params,{name},loss\n1e8,1e9,3\n").startswith("has no column for ")

    @pytest.mark.parametrize(
        "header",
        [
            *("params,draft.model.params,tokens,loss", "params,config.x,tokens,loss", "params,x,tokens,train/loss"),
            *("params,train/loss,tokens,val_loss", "params,train/loss,tokens,metrics.loss"),
        ],
    )
    def test_a_whole_name_goes_first(self, read: Read, header: str) -> None:
        runs = read(f"{header}\n1e8,2e8,1e9,3\n")
        assert (runs.columns["params"], runs.columns["loss"]) == ([1e8], [3.0])

    def test_a_variable_is_found_by_the_last_part(self) -> None:
        header = Header("runs.csv", ["config.model.num_experts", "config.data.epochs", "config.data.unique_tokens"])
        assert [header.variable(name) for name in ("experts", "epochs", "U", "tokens", "P")] == [0, 1, 2, None, None]

    def test_long_names_do_not_fill_a_message(self, refusal: Refusal) -> None:
        name = "a." * 5000 + "b"
        assert len(refusal(f"{name},N,loss\n1,1,1\n", columns={"tokens": f"1*{name[:900]}"})) < 1000

    def test_in_a_formula_by_its_usual_name(self, read: Read) -> None:
        text = "config.model.params,config.data.tokens,loss\n0.1,1,3\n"
        runs = read(text, columns={"params": "1e9*params", "tokens": "1e9*config_data_tokens"}, where="tokens > 1e8")
        assert (runs.columns["params"], runs.columns["tokens"]) == ([1e8], [1e9])

    @pytest.mark.parametrize(
        ("options", "spelt"),
        [
            ({"columns": {"tokens": "1*config.data.tokens"}}, "'config.data.tokens' is written config_data_tokens"),
            ({"columns": {"loss": "log(eval/loss)"}}, "'eval/loss' is written eval_loss"),
            ({"columns": {"loss": "0.5 * Val Loss"}}, "'Val Loss' is written Val_Loss"),
            ({"columns": {"params": "Params (M) * 1e6"}}, "'Params (M)' is written Params_M"),
            ({"where": "config.data.tokens > 1e9"}, "'config.data.tokens' is written config_data_tokens"),
        ],
    )
    def test_how_a_name_is_written_in_a_formula(self, refusal: Refusal, options: dict[str, Any], spelt: str) -> None:
        text = "config.data.tokens,Params (M),eval/loss,Val Loss\n1e9,100,3,3\n"
        columns = {"params": "Params_M", "loss": "eval_loss", "tokens": "config_data_tokens"}
        message = refusal(text, **{**options, "columns": columns | options.get("columns", {})})
        assert f"in a formula {spelt}" in message


class TestUnitsInNames:
    @pytest.mark.parametrize(
        ("name", "spelt", "unit", "factor"),
        [
            ("Params (M)", "Params_M", "millions", "1e6"),
            ("params [B]", "params_B", "billions", "1e9"),
            ("size_m", "size_m", "millions", "1e6"),
            ("n (thousands)", "n_thousands", "thousands", "1e3"),
            ("params in millions", "params_in_millions", "millions", "1e6"),
            ("width", "width", "billions", "1e9"),
        ],
    )
    def test_the_factor_is_that_of_the_header(self, read: Read, name: str, spelt: str, unit: str, factor: str) -> None:
        text = f"{name},tokens,loss\n30,1e9,3\n"
        notes = read(text, columns={"params": name}).notes
        assert f"params are all below 1e5: are they {unit}? --columns params={spelt}*{factor}" in notes
        assert read(text, columns={"params": f"{spelt}*{factor}"}).columns["params"] == [30.0 * float(factor)]

    def test_a_column_that_is_not_recognised_is_proposed_with_its_factor(self, refusal: Refusal) -> None:
        assert "--columns params=Params_M*1e6" in refusal("Params (M),tokens,loss\n30,1e9,3\n")


class TestWords:
    def test_short_words_for_powers_of_ten(self, read: Read) -> None:
        columns = read("params,tokens,loss\n5.5bn,300 mn,3\n1.5 BN params,2tn tokens,3\n").columns
        assert columns["params"] == [5.5e9, 1.5e9]
        assert columns["tokens"] == [3e8, 2e12]
        assert read("params,tokens,loss\n5e9,1e9,3\n6e9,1e9,2\n", where="params < 5.5bn").rows == [1]

    @pytest.mark.parametrize("cell", ["5.5GT", "300BT"])
    def test_tokens_with_a_unit_of_their_own_are_refused(self, refusal: Refusal, cell: str) -> None:
        message = refusal(f"params,tokens,loss\n1e8,{cell},3\n")
        assert message.startswith(f"row 1: tokens is '{cell}', not a number of tokens")
        assert "300B" in message

    @pytest.mark.parametrize("cell", ["\u06611e8", "\uff11e9", "1e\u0668"])
    @pytest.mark.parametrize("name", ["params", "loss"])
    def test_digits_of_other_scripts_are_refused(self, refusal: Refusal, name: str, cell: str) -> None:
        """As flags refuse them; float() reads them."""
        other = "loss" if name == "params" else "params"
        message = refusal(f"{name},{other},tokens\n1e8,3,1e9\n{cell},3,1e9\n")
        assert message.startswith(f"row 2: {name} is {ascii(cell)}, not plain ASCII text")

    def test_digits_of_other_scripts_in_json(self, refusal: Refusal) -> None:
        assert "not plain ASCII" in refusal(
            '{"N": "\u06611e8", "D": 1e9, "loss": 3}\n{"N": 1e8, "D": 1e9, "loss": 3}\n'
        )

    @pytest.mark.parametrize("cell", ["#N/A", "N/A", "NA", "#n/a"])
    def test_what_a_spreadsheet_writes_for_a_missing_loss(self, read: Read, cell: str) -> None:
        runs = read(f"params,tokens,loss\n1e8,1e9,3\n2e8,1e9,{cell}\n")
        assert runs.dropped == (Dropped("no finite loss", 1, (2,)),)

    @pytest.mark.parametrize("cell", ["-1e9", "-1_000", "0.00", "-0", "1e-400", "-inf", "1e999", "NaN", "n/a", "-5bn"])
    def test_a_cell_is_quoted_as_it_stands(self, refusal: Refusal, cell: str) -> None:
        message = refusal(f"params,tokens,loss\n1e8,1e9,3\n {cell} ,1e9,2.9\n")
        assert message.startswith(f"row 2: params is '{cell}', ")

    def test_a_formula_has_no_cell_to_quote(self, refusal: Refusal) -> None:
        text = "params,tokens,loss\n-1e9,1e9,3\n"
        assert refusal(text, columns={"params": "params*2"}).startswith("row 1: params is '-2e+09'")

    @pytest.mark.parametrize("where", ["params = 1e8", "name='r0'", "loss > 2 and params = 1e8"])
    def test_one_equals_sign(self, refusal: Refusal, where: str) -> None:
        message = refusal(GOOD, where=where)
        assert "\n  equality is written ==: " + where.replace("=", "==") in message

    @pytest.mark.parametrize("where", ["loss <", "loss <= ", "name == '=' and", "loss >= 3 )"])
    def test_no_talk_of_equality_where_there_is_none(self, refusal: Refusal, where: str) -> None:
        assert "equality" not in refusal(GOOD, where=where)
