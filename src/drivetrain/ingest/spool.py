"""A spool: records that their source forgets once they are taken, on disk until they stand in the table.

It is a folder of files that only grow, each named for the number of its first record. A record is its length and CRC-32
(four bytes each, little-endian), then its bytes. ``append`` returns when the disk has the records. What a kill left
half-written was never promised to anybody, and is cut off when the spool is opened again.
"""

from __future__ import annotations

import os
import struct
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self
from zlib import crc32

from drivetrain.core.errors import Tampered
from drivetrain.store.locks import held

_frame = struct.Struct("<II")
_ROLL_BYTES = 8 << 20


class Spool:
    """An open spool, for one process at a time. Use it as a context manager, or close it.

    ``id`` is another one when the folder was lost and made anew; ``next`` is the number of the record to come, from 1.
    """

    def __init__(self, folder: Path, roll_bytes: int = _ROLL_BYTES) -> None:
        self._folder, self._roll_bytes = folder, roll_bytes
        with ExitStack() as opening:
            opening.enter_context(held(folder / "lock", f"the spool {folder.name}"))
            self.id = _identity(folder / "id")
            last = max(self._files(), default=1)
            self._size, count = _whole(self._path(last))
            self.next = last + count
            self._file = os.open(self._path(last), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.ftruncate(self._file, self._size)
            _sync_folder(folder)
            self._held = opening.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def append(self, records: Sequence[bytes]) -> None:
        """Keep the records: when this returns they outlast a kill of the process and of the machine.

        Raises OSError (a full disk); the spool has to be opened anew then.
        """
        if self._size >= self._roll_bytes:
            self._roll()
        content = memoryview(b"".join(_frame.pack(len(one), crc32(one)) + one for one in records))
        self._size += len(content)
        while content:
            content = content[os.write(self._file, content) :]
        os.fsync(self._file)
        self.next += len(records)

    def records(self, first: int = 1) -> Iterator[tuple[int, bytes]]:
        """The records from the number ``first`` on, each with its number. Raises Tampered when a file is damaged."""
        end, starts = self.next, sorted(self._files())
        for start, behind in zip(starts, [*starts[1:], end], strict=True):
            if behind <= first:
                continue
            number = start
            for _, record in _records(self._path(start)):
                if first <= number < end:
                    yield number, record
                number += 1
            if number < behind:
                hint = "restore the folder from a backup; else move the file away and set `gaps: accept` for one load"
                where = str(self._path(start))
                raise Tampered("spool_damaged", f"record {number} of the spool is damaged", where=where, hint=hint)

    def first(self) -> int:
        """The number of the oldest record that is still there (of the next one, when there is none)."""
        return min(self._files())

    def forget(self, before: int) -> None:
        """Delete the files that hold no record from number ``before`` on."""
        starts = sorted(self._files())
        for start, behind in pairwise(starts):
            if behind <= before:
                self._path(start).unlink()

    def close(self) -> None:
        """Let somebody else open it."""
        os.close(self._file)
        self._held.close()

    def _roll(self) -> None:
        os.close(self._file)
        self._file = os.open(self._path(self.next), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._size = 0
        _sync_folder(self._folder)

    def _files(self) -> list[int]:
        return [int(path.stem) for path in self._folder.glob("*.records")]

    def _path(self, first: int) -> Path:
        return self._folder / f"{first:016d}.records"


def write_durably(path: Path, content: bytes) -> None:
    """Put a small file in its place, whole or not at all, whenever the machine stops."""
    half = path.with_suffix(".half")
    with half.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
    _sync_folder(path.parent)


def _identity(path: Path) -> str:
    if not path.exists():
        write_durably(path, uuid.uuid4().hex.encode())
    return path.read_text()


def _records(path: Path) -> Iterator[tuple[int, bytes]]:
    """The whole records from the start of a file, each with the place behind it."""
    if not path.exists():
        return
    place = 0
    with path.open("rb") as file:
        while len(head := file.read(_frame.size)) == _frame.size:
            length, check = _frame.unpack(head)
            record = file.read(length)
            if not length or len(record) < length or crc32(record) != check:  # a lost page is all zeros
                return
            place += _frame.size + length
            yield place, record


def _whole(path: Path) -> tuple[int, int]:
    """Where the last whole record of a file ends, and how many there are."""
    end = count = 0
    for end, _ in _records(path):  # noqa: B007 - the last one counts
        count += 1
    return end, count


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
