"""The bytes of a file: decompressed, made UTF-8, hashed as they are read. The first bytes beat what the name says."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import shutil
import tempfile
import zipfile
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, BinaryIO, Self, cast

import pyarrow as pa

from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.store.files.archive import only_member
from drivetrain.store.files.encodings import Source, Utf8, WithoutComments, guess, is_utf8, marked
from drivetrain.store.files.listing import COMPRESSIONS, plain_name
from drivetrain.store.files.marks import ZIP, foreign

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

MAX_ROW = 4 * 1024 * 1024
"""The longest row that is read, in bytes; also the size of the blocks in which text is read."""
_CHUNK = 1024 * 1024


def _open_zst(file: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd"))


_OPENERS: Mapping[bytes, Callable[[BinaryIO], BinaryIO]] = {
    b"\x1f\x8b": lambda file: cast(BinaryIO, gzip.GzipFile(fileobj=file)),
    b"BZh": lambda file: cast(BinaryIO, bz2.BZ2File(file)),
    b"\xfd7zXZ\x00": lambda file: cast(BinaryIO, lzma.LZMAFile(file)),  # noqa: SIM115  # Content closes it
    b"\x28\xb5\x2f\xfd": _open_zst,
}


class Content(io.RawIOBase):
    """A file opened for reading. ``sha256``, ``size``, ``last`` (byte) and ``quotes`` (how many ``"``) tell what was
    read so far, after decompression; ``plain_name`` is what the file inside a compression is called."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__()
        self.name, self.path = name, path
        self.plain_name = plain_name(name)
        self.size = 0
        self.last = b""
        self.quotes = 0
        self._digest = hashlib.sha256()
        self._ahead = b""
        self._file = _open(name, path)
        self._encoding, self._comment = "auto", ""
        try:
            self._inner: Source = self._decompress()
        except BaseException:
            self._file.close()
            raise

    @property
    def sha256(self) -> str:
        """SHA-256 of what was read so far."""
        return self._digest.hexdigest()

    @property
    def compressed(self) -> bool:
        """Whether the file is compressed."""
        return self._inner is not self._file

    @property
    def at_rest(self) -> int:
        """How many bytes of the file itself have been passed."""
        return self._file.tell()

    def decode(self, encoding: str, comment: str | None = None) -> Self:
        """The same content, of which nothing was read yet, as text in UTF-8; ``auto`` heeds the mark of UTF-16 only.

        Lines that begin with ``comment`` are left out.
        """
        self._encoding, self._comment = encoding, comment or ""
        found = marked(self.peek(4)) if encoding == "auto" else encoding
        if found is not None and not is_utf8(found):
            self._inner, self._ahead = Utf8(self._ahead, self._inner, found, self.name), b""
        if comment:
            self._inner, self._ahead = WithoutComments(self._ahead, self._inner, comment), b""
        return self

    def again(self) -> Content:
        """The same content from its start, opened once more."""
        return Content(self.name, self.path).decode(self._encoding, self._comment)

    def readable(self) -> bool:
        """Always."""
        return True

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay to be read; fewer than ``size`` at the end only."""
        while len(self._ahead) < size:
            more = self._fetch(size - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead[:size]

    def read(self, size: int = -1) -> bytes:
        """The next ``size`` bytes, fewer at the end only; all with -1."""
        parts, left = [], size if size >= 0 else 1 << 62
        while left:
            part = self._ahead[:left] or self._fetch(min(left, _CHUNK))
            self._ahead = self._ahead[left:]
            if not part:
                break
            parts.append(part)
            left -= len(part)
        return self._passed(b"".join(parts))

    def readinto(self, buffer: Buffer) -> int:
        """Fill a buffer; 0 at the end."""
        view = memoryview(buffer).cast("B")
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)

    def readline(self, size: int | None = -1) -> bytes:
        """The rest of the line with its end, or as much of it as ``size`` allows."""
        limit, ahead = 1 << 62 if size is None or size < 0 else size, 4096
        while True:
            seen = self.peek(min(ahead, limit))
            end = seen.find(b"\n") + 1
            if end or len(seen) < ahead:
                return self.read(end or len(seen))
            ahead *= 2

    def skip(self, size: int) -> bool:
        """Read ``size`` bytes and forget them; False when there are fewer."""
        while size > 0:
            passed = len(self.read(min(size, _CHUNK)))
            if not passed:
                return False
            size -= passed
        return True

    def pass_over(self, size: int) -> bool:
        """As ``skip``, but what is passed over of a plain file is not read, and does not count in ``sha256``."""
        if self.compressed:
            return self.skip(size)
        left = size - len(self._ahead[:size])
        self._ahead = self._ahead[size:]
        return self._file.seek(left, io.SEEK_CUR) <= self.path.stat().st_size

    def close(self) -> None:
        """Let go of the file."""
        if not self.closed:
            self._file.close()
        super().close()

    def _passed(self, content: bytes) -> bytes:
        self._digest.update(content)
        self.size += len(content)
        self.last = content[-1:] or self.last
        self.quotes += content.count(b'"')
        return content

    def _fetch(self, size: int) -> bytes:
        try:
            return self._inner.read(size)
        except (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
            raise InvalidInput(
                "file_damaged",
                f"the compressed data ends early or is damaged ({error})",
                where=self.name,
                hint="fetch or make the file again; nothing of it was loaded",
            ) from error

    def _decompress(self) -> BinaryIO:
        head = self._file.read(16)
        self._file.seek(0)
        if not head:
            raise InvalidInput("file_empty", "the file is empty", where=self.name, hint="fetch it again or remove it")
        opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
        if opener is not None:
            return opener(self._file)
        suffix = PurePath(self.name).suffix.lower()
        if head.startswith(ZIP) and (member := only_member(self.name, self._file, must=suffix == ".zip")):
            self.plain_name, inner = member
            return inner
        if suffix in COMPRESSIONS:
            raise InvalidInput(
                "not_compressed",
                f"the name ends in {suffix}, but it is {foreign(head) or 'not compressed data'}",
                where=self.name,
                hint="fetch the file again, or rename it for what it is",
            )
        return self._file


def check_text(content: Content) -> None:
    """Raise InvalidInput when the content is not text at all; nothing is consumed."""
    what = foreign(content.peek(4096))
    if what is not None:
        raise InvalidInput(
            "not_text",
            f"this is {what}",
            where=content.name,
            hint="name its `encoding` (utf-16-le, utf-16-be) if it is text; else correct `path` or `format`",
        )


@contextmanager
def random_access(content: Content) -> Iterator[BinaryIO]:
    """The content, hashed whole, as a file that can be read in any order; a compressed one is unpacked for a while."""
    with tempfile.TemporaryFile() if content.compressed else content.path.open("rb") as file:
        if content.compressed:
            shutil.copyfileobj(content, file, _CHUNK)
            file.seek(0)
        else:
            content.skip(1 << 62)
        yield cast(BinaryIO, file)


def line_blocks(content: Content) -> Iterator[list[bytes]]:
    """The lines from where the content stands, without their ends, as many at a time as fit a block.

    Raises InvalidInput for one without an end.
    """
    if not content.size and content.peek(3) == BOM_UTF8:
        content.skip(3)
    rest = b""
    while block := content.read(MAX_ROW):
        *lines, rest = (rest + block).split(b"\n")
        if len(rest) > MAX_ROW:
            raise row_too_long(content.name)
        yield lines
    if rest:
        yield [rest]


def not_utf8(name: str, path: Path) -> InvalidInput:
    """The error for text that is not UTF-8, with the first line where it is not, and what it may be."""
    place, byte, cure = name, "", "name its `encoding`"
    with Content(name, path) as content:
        for number, line in enumerate(io.BufferedReader(content), start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                place, byte = f"{name}:{number}", f" (byte 0x{line[error.start]:02x})"
                cure = guess(line)
                break
    return InvalidInput(
        "not_utf8",
        f"the text is not UTF-8{byte}",
        where=place,
        hint=cure,
    )


def row_too_long(where: str) -> InvalidInput:
    """The error for a row without an end."""
    return InvalidInput(
        "row_too_long",
        f"a row is longer than {MAX_ROW // 1024 // 1024} MB",
        where=where,
        hint="look for a quote that is never closed, a wrong `format`, or a line break that is missing",
    )


def _open(name: str, path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise NotFound("no_files", "there is no such file", where=name, hint="correct `path`") from None
    except OSError as error:
        raise InvalidInput("file_unreadable", f"cannot be opened: {error.strerror}", where=name) from error
