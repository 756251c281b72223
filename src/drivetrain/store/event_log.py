"""A log of lines that several processes append to and all of them follow: what one says, each hears in the same order.

A folder with a ``head`` and numbered files. The head is memory that all processes map: which file is open, and how
many of its bytes count. It changes under a lock, after the bytes lie in the file, so a process that is killed half way
leaves nothing behind. What was appended survives the end of every process; after the end of the machine its newest
seconds may be missing. This file needs no Arrow: the server imports it.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from drivetrain.store.unwritable import unwritable

FILE_BYTES = 16 * 1024 * 1024
_HEAD = struct.Struct("<QQ")
_FIRST = 1


class EventLog:
    """One process's view of the log. Not for use by several threads; ``news`` and ``append`` inside ``alone``."""

    def __init__(self, folder: Path, *, size: int = FILE_BYTES) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._limit = size
        self._lock = os.open(folder / "head", os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(self._lock).st_size < _HEAD.size:
            os.ftruncate(self._lock, _HEAD.size)
        self._head = mmap.mmap(self._lock, _HEAD.size)
        self._number, self._offset = self._oldest(), 0
        self._handle = -1
        with self.alone():
            self._mend()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else appends while the block runs; who comes second waits."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def is_new(self) -> bool:
        """Whether nothing was ever appended."""
        return bool(_HEAD.unpack_from(self._head) == (0, 0))

    def news(self) -> bytes:
        """The lines that were appended since the last time, by whomever; all that are kept, the first time."""
        number, size = _HEAD.unpack_from(self._head)
        if (self._number, self._offset) == (number, size) or not number:
            return b""
        parts = []
        while self._number < number:
            parts.append(self._rest(None))
            self._turn(self._number + 1)
        parts.append(self._rest(size))
        return b"".join(parts)

    def append(self, lines: bytes) -> None:
        """Add lines, all or none, after everything was read. Raises Transient when the disk refuses them."""
        number, size = _HEAD.unpack_from(self._head)
        try:
            if not number or size >= self._limit:
                number, size = self._next(number, size)
            if os.pwrite(self._file(), lines, size) != len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise unwritable("the log of events", self._folder, error) from error
        self._offset = size + len(lines)
        _HEAD.pack_into(self._head, 0, number, self._offset)

    @property
    def number(self) -> int:
        """The number of the file that was read last."""
        return self._number

    def forget(self, until: int) -> None:
        """Delete the files whose number is not above ``until``; the open one stays."""
        for path in self._files():
            if int(path.stem) <= until and int(path.stem) < self._number:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the files."""
        self._let_go()
        self._head.close()
        os.close(self._lock)

    def _mend(self) -> None:
        """After a power cut the head may count bytes that never came to the disk: what is whole counts."""
        number, size = _HEAD.unpack_from(self._head)
        path = self._folder / f"{number:010d}.log"
        if number and (not path.exists() or path.stat().st_size < size):
            path.touch()
            content = path.read_bytes()
            _HEAD.pack_into(self._head, 0, number, content.rfind(b"\n") + 1)

    def _rest(self, end: int | None) -> bytes:
        """What was not read yet of the file that is being read, up to ``end``."""
        with suppress(FileNotFoundError):  # nothing in it was needed any more
            handle = self._file()
            size = os.fstat(handle).st_size
            content = os.pread(handle, (size if end is None else min(end, size)) - self._offset, self._offset)
            self._offset += len(content)
            return content
        return b""

    def _next(self, number: int, size: int) -> tuple[int, int]:
        """Begin the next file."""
        if number:
            os.ftruncate(self._file(), size)  # what a killed process left behind its end was never said
        self._turn(number + 1 if number else _FIRST)
        self._handle = os.open(self._path(), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        return self._number, 0

    def _turn(self, number: int) -> None:
        self._let_go()
        self._number, self._offset = number, 0

    def _file(self) -> int:
        if self._handle < 0:
            self._handle = os.open(self._path(), os.O_RDWR)
        return self._handle

    def _let_go(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1

    def _path(self) -> Path:
        return self._folder / f"{self._number:010d}.log"

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.log"))

    def _oldest(self) -> int:
        files = self._files()
        return int(files[0].stem) if files else _FIRST
