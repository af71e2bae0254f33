"""Reading is bounded and never waits; writing is all or nothing."""

import contextlib
import errno
import io
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_cli.errors import FileError
from scaling_cli.files.reading import read_text, write_text
from scaling_cli.files.strict_yaml import parse_yaml

POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX files")
OLD, NEW = "old: 1\n", "new: 2\n" * 1000


def read_refusal(path: Path | str, **options: int) -> FileError:
    with pytest.raises(FileError) as caught:
        read_text(str(path), **options)
    return caught.value


def write_refusal(path: Path | str, text: str = NEW, *, force: bool = False) -> FileError:
    with pytest.raises(FileError) as caught:
        write_text(str(path), text, force=force)
    return caught.value


def listing(folder: Path) -> dict[str, str]:
    return {item.name: item.read_text() for item in folder.iterdir()}


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def give(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))

    return give


class TestReading:
    @pytest.mark.parametrize(
        ("data", "text"),
        [
            (b"a: 1\n", "a: 1\n"),
            (b"\xef\xbb\xbfa: 1\n", "a: 1\n"),
            ("é 😀 ٣".encode(), "é 😀 ٣"),
            (b"a\r\nb\rc\n", "a\r\nb\rc\n"),
            (b"", ""),
        ],
    )
    def test_text_is_read_as_it_is(self, tmp_path: Path, data: bytes, text: str) -> None:
        (tmp_path / "law.yaml").write_bytes(data)
        assert read_text(str(tmp_path / "law.yaml")) == text

    def test_dash_is_standard_input(self, stdin: Callable[[bytes], None]) -> None:
        stdin(b"\xef\xbb\xbfa: \xc3\xa9\r\n")
        assert read_text("-") == "a: é\r\n"

    def test_a_link_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "law.yaml").write_text(OLD)
        (tmp_path / "link.yaml").symlink_to("law.yaml")
        assert read_text(str(tmp_path / "link.yaml")) == OLD

    def test_missing_file(self, tmp_path: Path) -> None:
        error = read_refusal(tmp_path / "missing.yaml")
        assert str(error).startswith(f"{tmp_path / 'missing.yaml'}: no such file")
        assert error.path == str(tmp_path / "missing.yaml")

    @pytest.mark.parametrize("path", ["", "a\0b", "\ud800"])
    def test_impossible_names(self, path: str) -> None:
        assert read_refusal(path).path == path

    def test_a_file_used_as_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "law.yaml").write_text(OLD)
        assert "not a directory" in str(read_refusal(tmp_path / "law.yaml" / "x"))

    def test_directory(self, tmp_path: Path) -> None:
        assert "is a directory" in str(read_refusal(tmp_path))

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
    def test_no_permission(self, tmp_path: Path) -> None:
        (tmp_path / "law.yaml").write_text(OLD)
        (tmp_path / "law.yaml").chmod(0)
        assert "permission" in str(read_refusal(tmp_path / "law.yaml"))

    @pytest.mark.parametrize("step", ["stat", "open"])
    def test_refused_by_the_system(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
        (tmp_path / "law.yaml").write_text(OLD)
        monkeypatch.setattr(os, step, failing(errno.EACCES))
        error = read_refusal(tmp_path / "law.yaml")
        monkeypatch.undo()
        assert "permission denied" in str(error)

    @POSIX
    @pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
    def test_devices(self, device: str) -> None:
        assert "not a regular file" in str(read_refusal(device))

    @POSIX
    def test_a_device_is_not_even_opened(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "open", failing(errno.EIO))
        assert "not a regular file" in str(read_refusal("/dev/zero"))

    @POSIX
    def test_a_fifo_without_a_writer(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.yaml")
        assert "not a regular file" in str(read_refusal(tmp_path / "pipe.yaml"))

    @POSIX
    def test_a_file_that_becomes_a_fifo_after_the_first_look(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "law.yaml").write_text(OLD)
        looks_regular = os.stat(tmp_path / "law.yaml")
        (tmp_path / "law.yaml").unlink()
        os.mkfifo(tmp_path / "law.yaml")
        monkeypatch.setattr(os, "stat", lambda path: looks_regular)
        # a reader that waits is let go after a while, and fails the test, instead of hanging it
        rescue = threading.Timer(5, lambda: os.open(tmp_path / "law.yaml", os.O_WRONLY | os.O_NONBLOCK))
        rescue.start()
        try:
            error = read_refusal(tmp_path / "law.yaml")
            assert rescue.is_alive()
        finally:
            rescue.cancel()
        assert "not a regular file" in str(error)

    @POSIX
    def test_a_socket(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)  # a socket's path must be short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("law.yaml")
            assert "not a regular file" in str(read_refusal("law.yaml"))

    @POSIX
    def test_a_loop_of_links(self, tmp_path: Path) -> None:
        (tmp_path / "loop.yaml").symlink_to("loop.yaml")
        assert "symbolic" in str(read_refusal(tmp_path / "loop.yaml"))

    def test_closed_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", None)
        assert "standard input" in str(read_refusal("-"))


class TestLimit:
    def test_a_file_of_exactly_the_limit_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "law.yaml").write_bytes(b"x" * 262_144)
        assert len(read_text(str(tmp_path / "law.yaml"))) == 262_144

    def test_one_byte_more_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "law.yaml").write_bytes(b"x" * 262_145)
        assert "limit of 256 KiB" in str(read_refusal(tmp_path / "law.yaml"))

    def test_nested_lists_of_400_kilobytes(self, tmp_path: Path) -> None:
        (tmp_path / "law.yaml").write_bytes(b"[" * 200_000 + b"]" * 200_000)
        assert "limit" in str(read_refusal(tmp_path / "law.yaml"))

    def test_the_limit_is_the_callers(self, tmp_path: Path) -> None:
        (tmp_path / "runs.csv").write_bytes(b"x" * 2049)
        assert len(read_text(str(tmp_path / "runs.csv"), limit=2049)) == 2049
        assert "limit of 2 KiB" in str(read_refusal(tmp_path / "runs.csv", limit=2048))

    def test_standard_input_has_it_too(self, stdin: Callable[[bytes], None]) -> None:
        stdin(b"x" * 300_000)
        assert "limit of 256 KiB" in str(read_refusal("-"))

    @POSIX
    def test_endless_standard_input_ends(self) -> None:
        program = [sys.executable, "-c", "from scaling_cli.files.reading import read_text; read_text('-')"]
        with open("/dev/zero", "rb") as zero:
            done = subprocess.run(program, stdin=zero, capture_output=True, timeout=60, check=False)
        assert b"standard input: is larger than the limit" in done.stderr

    def test_a_gigabyte_is_not_read(self, tmp_path: Path) -> None:
        with open(tmp_path / "law.yaml", "wb") as file:
            file.truncate(2**33)  # sparse
        assert "limit" in str(read_refusal(tmp_path / "law.yaml"))


class TestDecoding:
    @pytest.mark.parametrize(
        ("data", "words", "line"),
        [
            (bytes.fromhex("fffe4500"), "byte 0xff is not UTF-8", 1),
            (bytes.fromhex("453a2000"), "not a character", 1),
            (b"a: 1\nb: \xe9\n", "byte 0xe9 is not UTF-8", 2),
            (b"\xef\xbb\xbfa\n\n\xff", "byte 0xff is not UTF-8", 3),
            (b"\xed\xa0\x80", "not UTF-8", 1),
            (b"\xc0\x80", "not UTF-8", 1),
            (b"a\nb\0", "NUL is not a character", 2),
            ("a: 1\n".encode("utf-16-le"), "NUL is not a character", 1),
        ],
    )
    def test_what_is_not_text(self, tmp_path: Path, data: bytes, words: str, line: int) -> None:
        (tmp_path / "law.yaml").write_bytes(data)
        error = read_refusal(tmp_path / "law.yaml")
        assert words in str(error)
        assert error.line == line
        assert "save it as UTF-8" in str(error)

    def test_standard_input_is_named(self, stdin: Callable[[bytes], None]) -> None:
        stdin(b"\xff")
        assert str(read_refusal("-")).startswith("standard input line 1: byte 0xff")

    @settings(deadline=None)
    @given(data=st.binary(max_size=60))
    def test_any_bytes_are_text_or_a_file_error(self, tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
        path = tmp_path_factory.getbasetemp() / "any.yaml"
        path.write_bytes(data)
        with contextlib.suppress(FileError):
            parse_yaml(read_text(str(path)), str(path))


def failing(code: int, *, after: int = 0) -> Callable[..., object]:
    """A system call that fails at its next use but `after`."""
    uses = iter(range(after))

    def fail(*arguments: object, **options: object) -> object:
        if next(uses, None) is None:
            raise OSError(code, os.strerror(code))
        return None

    return fail


class TestWriting:
    def test_round_trip(self, tmp_path: Path) -> None:
        path = str(tmp_path / "law.yaml")
        write_text(path, "é 😀\r\n\n")
        assert read_text(path) == "é 😀\r\n\n"
        assert listing(tmp_path).keys() == {"law.yaml"}

    def test_a_bare_name_is_written_here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        write_text("law.yaml", NEW)
        assert listing(tmp_path) == {"law.yaml": NEW}

    def test_the_longest_name(self, tmp_path: Path) -> None:
        write_text(str(tmp_path / ("x" * 255)), NEW)
        assert listing(tmp_path) == {"x" * 255: NEW}

    def test_nothing_is_replaced_without_force(self, tmp_path: Path) -> None:
        (tmp_path / "law.yaml").write_text(OLD)
        error = write_refusal(tmp_path / "law.yaml")
        assert str(tmp_path / "law.yaml") in str(error)
        assert "--force" in str(error)
        assert listing(tmp_path) == {"law.yaml": OLD}

    @POSIX
    @pytest.mark.parametrize("mode", [0o600, 0o644, 0o666, 0o755, 0o444])
    def test_force_replaces_and_keeps_the_mode(self, tmp_path: Path, mode: int) -> None:
        path = tmp_path / "law.yaml"
        path.write_text(OLD)
        path.chmod(mode)
        write_text(str(path), NEW, force=True)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert listing(tmp_path) == {"law.yaml": NEW}

    @POSIX
    @pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
    def test_a_new_file_has_the_mode_that_the_umask_leaves(self, tmp_path: Path, umask: int, mode: int) -> None:
        before = os.umask(umask)
        try:
            write_text(str(tmp_path / "law.yaml"), NEW)
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "law.yaml").stat().st_mode) == mode

    @POSIX
    def test_a_private_file_is_never_public_while_it_is_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "law.yaml").write_text(OLD)
        (tmp_path / "law.yaml").chmod(0o600)
        seen: list[int] = []
        write = os.write

        def watch(descriptor: int, data: bytes) -> int:
            seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
            return write(descriptor, data)

        monkeypatch.setattr(os, "write", watch)
        write_text(str(tmp_path / "law.yaml"), NEW, force=True)
        assert set(seen) == {0o600}

    @POSIX
    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "real" / "law.yaml").write_text(OLD)
        (tmp_path / "link.yaml").symlink_to("real/law.yaml")
        assert "--force" in str(write_refusal(tmp_path / "link.yaml"))
        write_text(str(tmp_path / "link.yaml"), NEW, force=True)
        assert (tmp_path / "link.yaml").is_symlink()
        assert listing(tmp_path / "real") == {"law.yaml": NEW}

    @POSIX
    def test_a_link_to_nothing_gets_its_target(self, tmp_path: Path) -> None:
        (tmp_path / "link.yaml").symlink_to("law.yaml")
        write_text(str(tmp_path / "link.yaml"), NEW)
        assert (tmp_path / "link.yaml").is_symlink()
        assert (tmp_path / "law.yaml").read_text() == NEW

    @POSIX
    def test_what_is_no_file_is_never_replaced(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to("pipe")
        (tmp_path / "loop").symlink_to("loop")
        assert "is not a regular file" in str(write_refusal(tmp_path / "pipe", force=True))
        assert "is not a regular file" in str(write_refusal(tmp_path / "link", force=True))
        assert "is a directory" in str(write_refusal(tmp_path, force=True))
        assert "symbolic" in str(write_refusal(tmp_path / "loop", force=True))
        assert sorted(os.listdir(tmp_path)) == ["link", "loop", "pipe"]

    def test_missing_folder(self, tmp_path: Path) -> None:
        error = write_refusal(tmp_path / "none" / "law.yaml")
        assert "cannot write: no such file or directory" in str(error)
        assert str(tmp_path / "none" / "law.yaml") in str(error)

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
    def test_read_only_folder(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        assert "permission" in str(write_refusal(tmp_path / "law.yaml"))
        tmp_path.chmod(0o700)

    @pytest.mark.parametrize("path", ["", "a\0b", "\ud800"])
    def test_impossible_names(self, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert "cannot write" in str(write_refusal(path))
        assert listing(tmp_path) == {}

    def test_half_a_character_is_not_written(self, tmp_path: Path) -> None:
        (tmp_path / "law.yaml").write_text(OLD)
        assert "cannot write" in str(write_refusal(tmp_path / "law.yaml", "a: \ud800", force=True))
        assert listing(tmp_path) == {"law.yaml": OLD}


class TestFaults:
    """Whatever fails, the file is the old one or the new one, and nothing else is left behind."""

    STEPS = ("open", "write", "fsync", "close", "chmod", "replace")

    @pytest.mark.parametrize("step", STEPS)
    @pytest.mark.parametrize(
        ("code", "words"),
        [(errno.ENOSPC, "no space left"), (errno.EROFS, "read-only"), (errno.EIO, "input/output error")],
    )
    def test_the_old_file_stays(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, step: str, code: int, words: str
    ) -> None:
        (tmp_path / "law.yaml").write_text(OLD)
        with monkeypatch.context() as patch:
            patch.setattr(os, step, failing(code))
            error = write_refusal(tmp_path / "law.yaml", force=True)
        assert f"{tmp_path / 'law.yaml'}: cannot write: " in str(error)
        assert words in str(error)
        assert listing(tmp_path) == {"law.yaml": OLD}

    @pytest.mark.parametrize("step", [step for step in STEPS if step != "chmod"])
    def test_a_new_file_does_not_appear(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, step, failing(errno.ENOSPC))
            write_refusal(tmp_path / "law.yaml")
        assert listing(tmp_path) == {}

    @pytest.mark.parametrize("step", STEPS)
    def test_an_interruption_leaves_the_old_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        def interrupt(*arguments: object, **options: object) -> None:
            raise KeyboardInterrupt

        (tmp_path / "law.yaml").write_text(OLD)
        with monkeypatch.context() as patch:
            patch.setattr(os, step, interrupt)
            with pytest.raises(KeyboardInterrupt):
                write_text(str(tmp_path / "law.yaml"), NEW, force=True)
        assert listing(tmp_path) == {"law.yaml": OLD}

    def test_a_disk_that_fills_up_half_way(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write, calls = os.write, iter((100, 100))

        def fill(descriptor: int, data: bytes) -> int:
            if (size := next(calls, None)) is None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, data[:size])

        (tmp_path / "law.yaml").write_text(OLD)
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", fill)
            write_refusal(tmp_path / "law.yaml", force=True)
        assert listing(tmp_path) == {"law.yaml": OLD}

    def test_short_writes_are_continued(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write = os.write
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
            write_text(str(tmp_path / "law.yaml"), NEW)
        assert listing(tmp_path) == {"law.yaml": NEW}

    def test_a_folder_that_cannot_be_synced_does_not_matter(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing(errno.EINVAL, after=1))
            write_text(str(tmp_path / "law.yaml"), NEW)
        assert listing(tmp_path) == {"law.yaml": NEW}

    def test_file_and_folder_are_synced_around_the_rename(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order: list[str] = []
        fsync, replace = os.fsync, os.replace

        def note_sync(descriptor: int) -> None:
            order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
            fsync(descriptor)

        def note_rename(source: str, target: str) -> None:
            assert os.path.dirname(source) == os.path.dirname(target)  # a rename across disks is a copy
            order.append("rename")
            replace(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", note_sync)
            patch.setattr(os, "replace", note_rename)
            write_text(str(tmp_path / "law.yaml"), NEW)
        assert order == (["file", "rename", "folder"] if os.name == "posix" else ["file", "rename"])

    @POSIX
    def test_a_link_waiting_at_the_temporary_name_is_not_followed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "victim").write_text(OLD)
        (tmp_path / f".law.yaml.{bytes(8).hex()}.tmp").symlink_to("victim")
        monkeypatch.setattr(os, "urandom", bytes)
        assert "exists" in str(write_refusal(tmp_path / "law.yaml"))
        assert (tmp_path / "victim").read_text() == OLD

    @POSIX
    def test_no_descriptor_is_left_open(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        next_free = os.dup(0)
        os.close(next_free)
        for step in ("write", "fsync", "replace"):
            with monkeypatch.context() as patch:
                patch.setattr(os, step, failing(errno.EIO))
                write_refusal(tmp_path / "law.yaml")
        write_text(str(tmp_path / "law.yaml"), NEW)
        again = os.dup(0)
        os.close(again)
        assert again == next_free
