"""Text files too large to hold: read a piece at a time, with the checks of `reading` and a checksum on the way."""

import codecs
import contextlib
import hashlib
import io
from collections.abc import Iterator
from typing import Any, BinaryIO, TextIO

from scaling_cli.errors import FileError
from scaling_cli.files.reading import decode, name_of, open_bytes, read_some, too_large

MAX_LINE = 16 * 2**20  # bytes; a table with longer lines is none, and a line is held in memory


class CheckedBytes(io.RawIOBase):
    """The bytes of a text file on their way in, refused where they are no text, too many, or one endless line.

    Args:
        file: where they come from.
        path: the file, for messages; '-' is standard input.
        limit: the most to accept, bytes.
    """

    def __init__(self, file: BinaryIO, path: str, *, limit: int) -> None:
        super().__init__()
        self._file = file
        self._path = path
        self._limit = limit
        self._digest = hashlib.sha256()
        self._size = self._line_size = 0
        self._line = 1
        self._rest = b""

    @property
    def sha256(self) -> str:
        """The checksum of the bytes that have been read."""
        return self._digest.hexdigest()

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer and return how many bytes it got; 0 at the end."""
        data = read_some(self._file, self._path, len(buffer))
        self._digest.update(data)
        self._check_sizes(data)
        self._check_text(data)
        buffer[: len(data)] = data
        return len(data)

    def _check_sizes(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            raise too_large(self._path, self._limit)
        self._line_size = 0 if b"\n" in data or b"\r" in data else self._line_size + len(data)
        if self._line_size > MAX_LINE:
            raise FileError(name_of(self._path), f"is longer than {MAX_LINE // 2**20} MiB", line=self._line)

    def _check_text(self, data: bytes) -> None:
        piece = self._rest + data
        end = len(piece)
        if not piece.isascii() or b"\0" in piece:
            with contextlib.suppress(UnicodeDecodeError):
                end = codecs.utf_8_decode(piece, "strict", not data)[1]  # before a character that is cut in two
            decode(piece[:end], self._path, line=self._line)
        self._rest = piece[end:]
        self._line += piece.count(b"\n", 0, end)


@contextlib.contextmanager
def open_text(path: str, *, limit: int) -> Iterator[tuple[TextIO, CheckedBytes]]:
    """Open a regular file, or standard input where path is '-', as text to be read in pieces.

    Args:
        path: the file; symbolic links are followed.
        limit: the most to accept, bytes.
    Returns: the text, without a byte order mark and with its line ends as they are; the bytes below it.
    Raises: FileError, here or while reading, for what `read_text` refuses.
    """
    with open_bytes(path) as file:
        data = CheckedBytes(file, path, limit=limit)
        yield io.TextIOWrapper(io.BufferedReader(data), encoding="utf-8-sig", newline=""), data
