"""Text files in and out: bounded reading of regular files, atomic writing. Knows no format."""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from typing import BinaryIO

from scaling_cli.errors import FileError

_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
# what is taken for text by mistake, by its first bytes
_NO_TEXT = {
    b"\x1f\x8b": "it is compressed by gzip: unpack it first",
    b"PK\x03\x04": "it is an Excel workbook or a zip archive: export the table as CSV, or unpack it",
    b"PAR1": "it is a Parquet file: those are known by a name that ends in .parquet",
    b"\xff\xfe": "it is UTF-16: save it as UTF-8",
    b"\xfe\xff": "it is UTF-16: save it as UTF-8",
}
TEMPORARY = r"\.(?:{})\.[0-9a-f]{{16}}\.tmp"  # the files that a kill may leave, by the names of their targets
LONGEST = 200  # bytes of a target's name in that of its temporary file; 255 is what most systems allow in all
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def read_text(path: str, *, limit: int = 262_144) -> str:
    """Return the text of a regular file, or of standard input where path is '-'.

    Args:
        path: the file; symbolic links are followed.
        limit: the most to accept, bytes; 256 KiB unless told.
    Returns: the text without a byte order mark; line ends as they are.
    Raises: FileError if it is missing, unreadable, no regular file, too large, or not UTF-8 text.
    """
    return decode(read_bytes(path, limit=limit), path)


def read_bytes(path: str, *, limit: int) -> bytes:
    """Return the content of a regular file, or of standard input where path is '-'; see `read_text`."""
    with open_bytes(path) as file:
        data = read_some(file, path, limit + 1)
    if len(data) > limit:
        raise too_large(path, limit)
    return data


@contextlib.contextmanager
def open_bytes(path: str) -> Iterator[BinaryIO]:
    """Open a regular file for reading, or lend standard input where path is '-'.

    Raises: FileError if it is missing, unreadable or no regular file.
    """
    if path == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise FileError(name_of(path), "is closed", "name a file instead of -")
        yield sys.stdin.buffer
        return
    with contextlib.ExitStack() as stack:
        try:
            _require_regular(path, os.stat(path).st_mode)  # before opening: devices react to that
            # what has become a FIFO meanwhile must not be waited for
            file = stack.enter_context(open(path, "rb", opener=lambda name, flags: os.open(name, flags | _NO_WAIT)))
            _require_regular(path, os.fstat(file.fileno()).st_mode)
        except (OSError, ValueError) as error:
            raise FileError(path, _reason(error)) from None
        yield file


def read_some(file: BinaryIO, path: str, size: int) -> bytes:
    """Return up to `size` bytes, fewer only at the end; path is for messages."""
    try:
        return file.read(size)
    except OSError as error:
        raise FileError(name_of(path), _reason(error)) from None


def decode(data: bytes, path: str, *, line: int = 1) -> str:
    """Return UTF-8 bytes, which begin on that line of a file, as text without a byte order mark.

    Raises: FileError naming the line of what is not text; so is a NUL.
    """
    try:
        if "\0" not in (text := data.decode("utf-8-sig")):
            return text
        before, message = data.partition(b"\0")[0], "NUL is not a character of a text"
    except UnicodeDecodeError as error:
        before, message = error.object[: error.start], f"byte 0x{error.object[error.start]:02x} is not UTF-8"
    hint = next((hint for start, hint in _NO_TEXT.items() if data.startswith(start)), "save it as UTF-8")
    raise FileError(name_of(path), message, f"expected text; {hint}", line=line + before.count(b"\n"))


def name_of(path: str) -> str:
    """Return what messages call a file."""
    return "standard input" if path == "-" else path


def too_large(path: str, limit: int) -> FileError:
    """Return the error for a file of more than `limit` bytes."""
    return FileError(name_of(path), f"is larger than the limit of {limit / 1024:.6g} KiB")


def write_text(path: str, text: str, *, force: bool = False) -> None:
    """Write a UTF-8 file so that it is the old one or the new one, never a part of either.

    Args:
        path: the file; a symbolic link stays and its target is written.
        text: the whole content; line ends stay as they are.
        force: replace an existing file, keeping its mode.
    Raises: FileError if the file exists and force is false, or if it cannot be written.
    """
    refuse_target(path, force=force)
    try:
        mode = _existing_mode(path)
        _replace(os.path.realpath(path), text.encode(), mode)
    except (OSError, ValueError) as error:
        raise FileError(path, f"cannot write: {_reason(error)}") from None


def refuse_target(path: str, *, force: bool = False) -> None:
    """Raise FileError if a file exists that may not be replaced or is no regular one, or if no file can be named so."""
    try:
        exists = _existing_mode(path) is not None
    except (OSError, ValueError) as error:
        raise FileError(path, f"cannot write: {_reason(error)}") from None
    if exists and not force:
        raise FileError(path, "exists already", "--force replaces it; or name another file")


def _require_regular(path: str, mode: int, hint: str = "expected a file on disk; - is standard input") -> None:
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
        raise FileError(path, f"is {kind}", hint)


def _existing_mode(path: str) -> int | None:
    """Permission bits of the file to be replaced; None where there is none."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    _require_regular(path, mode, "expected the name of a file on disk, which is to be written")
    return stat.S_IMODE(mode)


def _replace(target: str, data: bytes, mode: int | None) -> None:
    folder = os.path.dirname(target)
    name = os.fsdecode(os.fsencode(os.path.basename(target))[:LONGEST])
    temporary = os.path.join(folder, f".{name}.{os.urandom(8).hex()}.tmp")  # as TEMPORARY has it
    try:
        _write_and_sync(temporary, data, flags=_CREATE, mode=0o666 if mode is None else mode)
        if mode is not None:
            os.chmod(temporary, mode)  # the umask took bits away
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
    with contextlib.suppress(OSError):  # the file is in place; some systems cannot sync a folder
        _write_and_sync(folder, b"", flags=os.O_RDONLY)


def _write_and_sync(path: str, data: bytes, *, flags: int, mode: int = 0) -> None:
    descriptor = os.open(path, flags, mode)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError | ValueError) -> str:
    known = isinstance(error, OSError) and error.errno
    return os.strerror(known).lower() if known else "a NUL or a lone surrogate cannot be part of it"
