"""Laws written as presets: read back the same, and whatever happens on the way, the old pair of files or the new."""

import contextlib
import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaling_cli.core.formulas import Formula
from scaling_cli.core.laws import Draws, Law, Minimum, Relation, Variable
from scaling_cli.errors import FileError, InputError
from scaling_cli.files import reading
from scaling_cli.files.catalogue import law_ids, load_law
from scaling_cli.files.presets import read_law
from scaling_cli.files.saving import check_target, save_law

LAWS = {law_id: load_law(law_id) for law_id in law_ids()}
BASE = LAWS["besiroglu-2024-refit"]._replace(id="mine")
NAMES = tuple(BASE.relations["loss"].coefficients)
STEPS = ("open", "write", "fsync", "close", "replace")
MANIFEST = {"data sha256": "0123abcd", "runs used": 240, "delta": 1e-3, "form": "chinchilla: E + A"}


def draws(seed: int, count: int = 20) -> Draws:
    source = random.Random(seed)
    values = [value or 0.0 for value in BASE.relations["loss"].coefficients.values()]
    return Draws(NAMES, tuple(tuple(v * source.gauss(1.0, 0.01) for v in values) for _ in range(count)))


OLD, NEW = draws(1), draws(2)


def save(path: Path, which: Draws | None, **options: Any) -> None:
    save_law(BASE, str(path), draws=which, force=True, **options)


def saved(path: Path) -> Draws | None:
    """Return the draws that a reader gets now: an incomplete pair is an error."""
    return read_law(str(path)).draws


def tables(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.csv"))


def refusal(law: Law, path: Path, **options: Any) -> str:
    with pytest.raises((FileError, InputError)) as caught:
        save_law(law, str(path), **options)
    return str(caught.value)


class TestRoundTrip:
    @pytest.mark.parametrize("law_id", LAWS)
    def test_a_shipped_law_is_read_back_the_same(self, law_id: str, tmp_path: Path) -> None:
        save_law(LAWS[law_id], str(tmp_path / "law.yaml"))
        assert read_law(str(tmp_path / "law.yaml")) == LAWS[law_id]
        assert os.listdir(tmp_path) == ["law.yaml"]
        assert max(map(len, (tmp_path / "law.yaml").read_text().splitlines())) <= 125

    @pytest.mark.parametrize("law_id", LAWS)
    def test_what_is_read_back_is_written_the_same(self, law_id: str, tmp_path: Path) -> None:
        save_law(LAWS[law_id], str(tmp_path / "a.yaml"))
        save_law(read_law(str(tmp_path / "a.yaml")), str(tmp_path / "b.yaml"))
        assert (tmp_path / "a.yaml").read_bytes() == (tmp_path / "b.yaml").read_bytes()

    def test_every_part_of_the_schema(self, tmp_path: Path) -> None:
        uncertain = {
            "level": 0.8, "intervals": {"k": (0.1, 0.3)}, "standard_errors": {"k": 0.05},
        }  # fmt: skip
        law = Law(
            id="all-of-it",
            title='It\'s "all": of it # really',
            aliases=("other", "1e5"),
            source={"authors": "É. Nobody", "year": 2024, "arxiv": "2401.00001", "note": "null"},
            conventions={"params": "total", "loss": "", "domain": "yes"},
            variables={"U": Variable("U", "tokens", Formula("D"), "unique tokens"), "P": Variable("P", default=16.0)},
            coefficients={"E": 1.7, "g": None},
            digits={"E": "1.70"},
            let={"effective": Formula("min(D, 4 * U) * P / 16")},
            relations={
                "loss": Relation(
                    "loss", Formula("E + k / effective**0.3 + g / N"), {"k": 0.2}, {"k": "0.20"}, "fitted", "here",
                    {"N": (1e6, 2.5e9)}, uncertain, "nats", "loss: predicted", note="a\nb",
                ),
                "best": Relation("best", Minimum(Formula("P + q / P"), "P", 3.0, 16.0), {"q": -1e-7}, {"q": "-1e-7"}),
                "unlimited": Relation("unlimited", Formula("E"), gives="loss"),
            },
            frontier={"params": "unlimited"},
            notes=("One.", " two ", "three " * 40, "- four: 4"),
            supersedes="old-law",
            superseded_by="new-law",
            manifest=MANIFEST,
        )  # fmt: skip
        save_law(law, str(tmp_path / "law.yaml"))
        assert read_law(str(tmp_path / "law.yaml")) == law

    def test_coefficients_without_digits_keep_every_bit(self, tmp_path: Path) -> None:
        values = {"E": 1.8172180000000001, "A": 5.960464477539063e-08, "B": 1e23 / 3.0, "alpha": 1 / 3, "beta": 2**-30}
        relation = BASE.relations["loss"]._replace(coefficients=values, digits={})
        save_law(BASE._replace(relations={"loss": relation}), str(tmp_path / "law.yaml"))
        assert read_law(str(tmp_path / "law.yaml")).relations["loss"].coefficients == values

    def test_digits_that_no_longer_give_the_value_are_left_out(self, tmp_path: Path) -> None:
        save_law(BASE.with_constant("loss", "A", 500.0), str(tmp_path / "law.yaml"))
        back = read_law(str(tmp_path / "law.yaml")).relations["loss"]
        assert (back.coefficients["A"], back.digits["A"], back.digits["E"]) == (500.0, "500", "1.817218")

    def test_draws_and_manifest(self, tmp_path: Path) -> None:
        save(tmp_path / "law.yaml", NEW, manifest=MANIFEST)
        back = read_law(str(tmp_path / "law.yaml"))
        assert (back.draws, back.manifest) == (NEW, MANIFEST)
        (name,) = tables(tmp_path)
        uncertainty = back.relations["loss"].uncertainty
        assert uncertainty["level"] == 0.9
        assert uncertainty["draws"] == {"file": name, "sha256": uncertainty["draws"]["sha256"]}
        assert name == f"law.draws-{uncertainty['draws']['sha256'][:8]}.csv"

    def test_a_law_takes_its_draws_and_manifest_along(self, tmp_path: Path) -> None:
        save(tmp_path / "a.yaml", NEW, manifest=MANIFEST)
        save_law(read_law(str(tmp_path / "a.yaml")), str(tmp_path / "b.yaml"))
        assert read_law(str(tmp_path / "b.yaml")).draws == NEW
        assert read_law(str(tmp_path / "b.yaml")).manifest == MANIFEST
        assert tables(tmp_path) == [f"{stem}.{tables(tmp_path)[0].split('.', 1)[1]}" for stem in "ab"]

    def test_draws_of_a_covariance_stay_a_covariance(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(
            "id: a\nrelations: {loss: {formula: E + A / N, coefficients: {E: 1.8, A: 400}, "
            "uncertainty: {level: 0.8, covariance: {names: [A, E], rows: [[4, 0.01], [0.01, 0.0004]]}}}}\n"
        )
        law = read_law(str(tmp_path / "a.yaml"))
        save_law(law, str(tmp_path / "b.yaml"))
        assert read_law(str(tmp_path / "b.yaml")) == law
        assert tables(tmp_path) == []


class TestRefusals:
    def test_nothing_is_replaced_without_force(self, tmp_path: Path) -> None:
        path = tmp_path / "law.yaml"
        save(path, OLD)
        before = tables(tmp_path)
        assert "--force" in refusal(BASE, path, draws=NEW)
        assert saved(path) == OLD
        assert tables(tmp_path) == before

    @pytest.mark.parametrize("name", ["law.json", "law", "law.yaml.csv", "-"])
    def test_names_that_would_not_be_read_as_a_file(self, name: str, tmp_path: Path) -> None:
        assert "expected one that ends in .yaml" in refusal(BASE, tmp_path / name)

    @pytest.mark.parametrize(
        ("law", "which", "words"),
        [
            (BASE._replace(id="My Law"), NEW, "expected a name of a-z"),
            (BASE._replace(relations={}), None, "no relations"),
            (BASE.with_constant("loss", "A", float("nan")), None, "nan cannot be written"),
            (BASE, NEW._replace(names=("E", "A", "B", "alpha", "gamma")), "gamma"),
            (BASE, NEW._replace(rows=((1.8, 480.0),)), "expected 5"),
            (BASE, NEW._replace(rows=((1.8, float("inf"), 2000.0, 0.3, 0.3),)), "expected finite numbers"),
            (BASE, NEW._replace(rows=()), "has 0 draws"),
            (BASE, NEW._replace(relation="flops"), "no relation of mine"),
            (BASE, NEW._replace(level=90.0), "share between 0 and 1"),
        ],
    )
    def test_what_could_not_be_read_back_is_not_written(
        self, tmp_path: Path, law: Law, which: Draws | None, words: str
    ) -> None:
        path = tmp_path / "law.yaml"
        save(path, OLD)
        before = {item.name: item.read_bytes() for item in tmp_path.iterdir()}
        assert words in refusal(law, path, draws=which, force=True)
        assert {item.name: item.read_bytes() for item in tmp_path.iterdir()} == before

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        path = tmp_path / "none" / "law.yaml"
        said = refusal(BASE, path, draws=NEW)
        assert said.startswith(f"{path}: cannot write: there is no folder {tmp_path / 'none'}")
        assert f"mkdir -p {tmp_path / 'none'}" in said

    @pytest.mark.skipif(os.name != "posix", reason="POSIX files")
    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("pipe.yaml", "is not a regular file\n  expected the name of a file on disk, which is to be written"),
            ("loop.yaml", "cannot write: too many levels of symbolic links"),
            ("folder.yaml", "is a directory"),
        ],
    )
    def test_what_is_no_file_is_refused_before_there_is_a_law(self, name: str, words: str, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.yaml")
        (tmp_path / "loop.yaml").symlink_to("loop.yaml")
        (tmp_path / "folder.yaml").mkdir()
        with pytest.raises(FileError) as caught:
            check_target(str(tmp_path / name), force=True)
        assert words in str(caught.value)
        assert words in refusal(BASE, tmp_path / name, draws=NEW, force=True)
        assert not list(tmp_path.glob("*.csv"))

    @pytest.mark.parametrize("name", ["law.yaml", "law.csv", "none/law.yaml"])
    def test_a_target_is_refused_before_there_is_a_law(self, name: str, tmp_path: Path) -> None:
        save(tmp_path / "law.yaml", OLD)
        with pytest.raises(FileError) as caught:
            check_target(str(tmp_path / name))
        assert caught.value.hints
        check_target(str(tmp_path / "law.yaml"), force=True)
        check_target(str(tmp_path / "other.yaml"))


class TestOlderDraws:
    def test_they_go_when_new_ones_are_in_place(self, tmp_path: Path) -> None:
        for which in (OLD, NEW, NEW):
            save(tmp_path / "law.yaml", which)
            assert len(tables(tmp_path)) == 1
            assert saved(tmp_path / "law.yaml") == which

    def test_all_of_them_go_with_the_last_law_that_had_some(self, tmp_path: Path) -> None:
        save(tmp_path / "law.yaml", OLD)
        save_law(BASE, str(tmp_path / "law.yaml"), force=True)
        assert os.listdir(tmp_path) == ["law.yaml"]
        assert saved(tmp_path / "law.yaml") is None

    def test_nothing_else_goes(self, tmp_path: Path) -> None:
        others = [
            "law.draws.csv", "law.draws-12345678.csv.bak", "law.draws-1234567.csv", "law.draws-1234567G.csv",
            "law-2.draws-12345678.csv", "LAW.draws-12345678.csv", "my law.draws-12345678.csv", "law.csv",
        ]  # fmt: skip
        for name in others:
            (tmp_path / name).write_text("kept")
        save(tmp_path / "law.yaml", OLD)
        save(tmp_path / "law.yaml", NEW)
        assert {name for name in others if (tmp_path / name).read_text() == "kept"} == set(others)
        assert len(os.listdir(tmp_path)) == len(others) + 2

    def test_those_of_a_twin_stay(self, tmp_path: Path) -> None:
        save(tmp_path / "law.yml", OLD)
        save(tmp_path / "law.yaml", NEW)
        save(tmp_path / "law.yaml", draws(3))
        assert saved(tmp_path / "law.yml") == OLD
        assert saved(tmp_path / "law.yaml") == draws(3)
        assert len(tables(tmp_path)) == 2

    @pytest.mark.parametrize("ending", ["yaml", "yml"])
    def test_those_that_a_copy_names_stay(self, tmp_path: Path, ending: str) -> None:
        copy = tmp_path / f"backup.{ending}"
        save(tmp_path / "law.yaml", OLD)
        copy.write_bytes((tmp_path / "law.yaml").read_bytes())
        save(tmp_path / "law.yaml", NEW)
        save(tmp_path / "law.yaml", draws(3))
        assert saved(copy) == OLD
        assert saved(tmp_path / "law.yaml") == draws(3)
        assert len(tables(tmp_path)) == 2
        copy.unlink()
        save(tmp_path / "law.yaml", NEW)
        assert len(tables(tmp_path)) == 1

    def test_those_that_a_copy_names_stay_when_the_law_has_none_any_more(self, tmp_path: Path) -> None:
        save(tmp_path / "é x.yaml", OLD)
        (tmp_path / "backup.yaml").write_bytes((tmp_path / "é x.yaml").read_bytes())
        save_law(BASE, str(tmp_path / "é x.yaml"), force=True)
        assert saved(tmp_path / "backup.yaml") == OLD

    def test_those_that_no_other_preset_names_go(self, tmp_path: Path) -> None:
        save(tmp_path / "other.yaml", OLD)
        (tmp_path / "notes.yaml").write_text("law.draws-12345678.csv")
        save(tmp_path / "law.yaml", OLD)
        save(tmp_path / "law.yaml", NEW)
        assert [name.partition(".")[0] for name in tables(tmp_path)] == ["law", "other"]

    def test_through_a_link_they_lie_beside_its_target(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        link = tmp_path / "link.yaml"
        link.symlink_to("real/law.yaml")
        for which in (OLD, NEW):
            save(link, which)
            assert saved(link) == saved(tmp_path / "real" / "law.yaml") == which
        assert len(tables(tmp_path / "real")) == 1
        assert tables(tmp_path) == []


def after(count: int, fault: BaseException, act: Callable[..., Any]) -> Callable[..., Any]:
    """Return an act that fails once, after some uses."""
    uses = iter(range(count + 1))

    def failing(*arguments: Any, **options: Any) -> Any:
        if next(uses, None) == count:
            raise fault
        return act(*arguments, **options)

    return failing


class TestFaults:
    """Files are written one after the other: draws, then preset. Each step of each may fail."""

    @pytest.mark.parametrize("which", range(5))
    @pytest.mark.parametrize("step", STEPS)
    @pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()], ids=["full", "interrupted"])
    def test_the_old_pair_or_the_new(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, fault: BaseException, step: str, which: int
    ) -> None:
        path = tmp_path / "law.yaml"
        save(path, OLD)
        before = tables(tmp_path)
        failed = False
        with monkeypatch.context() as patch:
            patch.setattr(os, step, after(which, fault, getattr(os, step)))
            try:
                save(path, NEW)
            except (FileError, KeyboardInterrupt):
                failed = True
        assert saved(path) in (OLD, NEW)
        assert list(tmp_path.glob(".*")) == []
        if not failed:
            assert saved(path) == NEW
        elif saved(path) == OLD:
            assert tables(tmp_path) == before
        save(path, NEW)
        assert saved(path) == NEW
        assert len(tables(tmp_path)) == 1

    @pytest.mark.parametrize("step", STEPS)
    def test_a_first_save_that_fails_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        for which in range(4):
            with monkeypatch.context() as patch:
                patch.setattr(os, step, after(which, OSError(errno.EIO, "broken"), getattr(os, step)))
                with contextlib.suppress(FileError):
                    save(tmp_path / "law.yaml", NEW)
            if (tmp_path / "law.yaml").exists():
                assert saved(tmp_path / "law.yaml") == NEW
            else:
                assert os.listdir(tmp_path) == []

    def test_draws_are_synced_before_the_preset_names_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written: list[str] = []
        write = reading.write_text

        def note(path: str, text: str, **options: Any) -> None:
            written.append(os.path.splitext(path)[1])
            write(path, text, **options)

        monkeypatch.setattr("scaling_cli.files.saving.write_text", note)
        save(tmp_path / "law.yaml", NEW)
        assert written == [".csv", ".yaml"]

    def test_what_a_kill_left_goes_with_a_later_save(self, tmp_path: Path) -> None:
        """What another save may be writing now stays, and so does whatever is not ours."""
        now = time.time()
        token = "0123456789abcdef"
        left = [f".law.yaml.{token}.tmp", f".law.draws-12345678.csv.{token}.tmp"]
        others = [f".other.yaml.{token}.tmp", f".{token}.tmp", f".law.yaml.{token[:-1]}.tmp", f".law.yaml.{token}.tmp~"]
        young = f".law.yaml.{token[::-1]}.tmp"
        for name in (*left, *others, young):
            (tmp_path / name).write_text("half")
            os.utime(tmp_path / name, (now, now if name == young else now - 3700.0))
        save(tmp_path / "law.yaml", NEW)
        assert {path.name for path in tmp_path.glob(".*")} == {*others, young}
        assert saved(tmp_path / "law.yaml") == NEW

    def test_a_name_as_long_as_they_get(self, tmp_path: Path) -> None:
        reading.write_text(str(tmp_path / ("x" * 250 + ".yaml")), "a")
        assert [path.read_text() for path in tmp_path.iterdir()] == ["a"]

    def test_old_draws_that_cannot_be_removed_do_no_harm(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        save(tmp_path / "law.yaml", OLD)
        with monkeypatch.context() as patch:
            patch.setattr(os, "listdir", after(0, OSError(errno.EACCES, "no"), os.listdir))
            save(tmp_path / "law.yaml", NEW)
        assert saved(tmp_path / "law.yaml") == NEW


SAVE_FOR_EVER = """
import itertools, sys
from scaling_cli.files.presets import read_law
from scaling_cli.files.saving import check_target, save_law
law = read_law(sys.argv[1])
for k in itertools.cycle(range(1, 7)):
    rows = tuple(tuple(value + k for value in row) for row in law.draws.rows)
    save_law(law, sys.argv[2], draws=law.draws._replace(rows=rows), force=True)
    print(k, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_kill_at_any_moment(tmp_path: Path) -> None:
    base, path, source = tmp_path / "base.yaml", tmp_path / "law.yaml", random.Random(0)
    save(base, draws(0, 300))
    original, seen = draws(0, 300).rows[0][0], set()
    for _ in range(15):
        command = [sys.executable, "-c", SAVE_FOR_EVER, str(base), str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout
            for _ in range(source.randint(1, 5)):
                last = int(process.stdout.readline())
            time.sleep(source.uniform(0.0, 0.02))
            process.kill()
            last = [last, *map(int, process.stdout.read().split())][-1]
        found = saved(path)
        assert found
        k = round(found.rows[0][0] - original)
        assert found.rows == tuple(tuple(value + k for value in row) for row in draws(0, 300).rows)
        assert k in (last, last % 6 + 1)  # what was said to be saved is there, or the one that was under way
        seen.add(k)
    assert len(seen) > 1
    save(path, OLD)
    assert [name for name in tables(tmp_path) if name.startswith("law.")] == [tables(tmp_path)[-1]]
