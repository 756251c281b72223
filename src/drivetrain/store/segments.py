"""The bytes of a service's journal: what it answered and was told, on disk before the caller hears of it.

A log is a folder of segments. A segment is one line of JSON (``SegmentHeader``) and then records that are only ever
appended: predictions as fixed-width NumPy records, labels as lines of JSON. Its writer holds a lock on it for as long
as it lives, so a segment without a lock is complete but for a torn last record, which nobody was told of.

A record lies in the page cache when ``append`` returns: it survives the end of any process. With the durability
``power`` it lies on the disk: it survives the end of the machine, at the price of the disk's speed. With ``buffered``
it waits in memory for the next ``flush``. This file needs no Arrow: the server imports it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from drivetrain.core.decoding import read_json
from drivetrain.core.digest import canonical_json
from drivetrain.core.errors import Tampered
from drivetrain.core.model import Signature
from drivetrain.core.refs import Ref
from drivetrain.store.folders import write_file
from drivetrain.store.locks import alone
from drivetrain.store.unwritable import unwritable

Kind = Literal["predictions", "labels", "pairs"]
Label = bool | str | float
Durability = Literal["process", "power", "buffered"]
KINDS: tuple[Kind, ...] = ("predictions", "labels", "pairs")
ID_BYTES = 32
ENTITY_BYTES = 64
EVENT_BYTES = 256
"""Of the event behind the name of the entity, where a model has windows."""
SEGMENT_BYTES = 64 * 1024 * 1024
_OPENING = "open.lock"
_ROLLED = "rolled-"


@dataclass(frozen=True)
class SegmentHeader:
    """What every record of a segment has in common. A prediction names its caller by the index in ``callers``.

    In pairs, ``release`` is the challenger and ``champion`` the release that it is compared with.
    """

    kind: Kind
    release: str = ""
    champion: str = ""
    signature: Signature | None = None
    callers: tuple[str, ...] = ()
    format: int = 1


@dataclass(frozen=True)
class LabelRecord:
    """An outcome that came later: which prediction, what was true, when it was known, who said so.

    What was true is a bool, the text of a class or a number, as the task of the release was that served then.
    """

    prediction_id: str
    label: Label
    at: datetime
    caller: str


_LABELS = msgspec.json.Decoder(LabelRecord)


@dataclass(frozen=True)
class Segment:
    """A segment on disk. ``closed`` means that nobody will append to it any more."""

    path: Path
    closed: bool


def record_type(signature: Signature) -> np.dtype[np.void]:
    """One prediction of a model: ids and text as bytes, time in microseconds since 1970 (UTC).

    Where the model has windows, the event stands behind the entity as a line of JSON. The outputs of the signature
    stand behind the row.
    """
    fields = [
        ("id", f"S{ID_BYTES}"), ("at", "<i8"), ("score", "<f8"), ("decision", "?"), ("caller", "<u2"),
        ("entity", f"S{_entity_bytes(signature)}"), ("row", "<f8", (len(signature.inputs),)),
    ]  # fmt: skip
    if signature.outputs:
        fields.append(("outputs", "<f8", (len(signature.outputs),)))
    return np.dtype(fields)


def _entity_bytes(signature: Signature) -> int:
    return ENTITY_BYTES if signature.windows is None else ENTITY_BYTES + 1 + EVENT_BYTES


PAIR = np.dtype(
    [
        ("id", f"S{ID_BYTES}"), ("at", "<i8"), ("champion_score", "<f8"), ("champion_decision", "?"),
        ("score", "<f8"), ("decision", "?"),
    ]
)  # fmt: skip
"""What the champion and a challenger said of the same row; a score that the challenger did not give is NaN."""


class PredictionLog:
    """Appends predictions of one release. Not for use by several threads."""

    def __init__(
        self,
        folder: Path,
        release: Ref,
        signature: Signature,
        *,
        durability: Durability = "process",
        size: int = SEGMENT_BYTES,
    ) -> None:
        self._release = release
        self._signature = signature
        self._callers: dict[str, int] = {}
        self._log = _Log(folder, "predictions", durability=durability, size=size)
        self.dtype = record_type(signature)
        self._one = struct.Struct(f"<{ID_BYTES}sqd?H{_entity_bytes(signature)}s").pack  # a record up to its row

    def caller(self, name: str) -> int:
        """The index under which records name this caller."""
        index = self._callers.get(name)
        if index is None:
            index = self._callers[name] = len(self._callers)
            self._log.close()  # the header of the next segment lists this caller too
        return index

    def append(self, records: NDArray[np.void]) -> None:
        """Write records of ``dtype``, all or none; raises Transient when the disk refuses them."""
        self._log.append(records.tobytes(), self._header)

    def append_one(
        self, name: bytes, at: int, said: tuple[float, bool], caller: int, entity: bytes, row: bytes
    ) -> None:
        """Write one prediction without NumPy, which is made for many.

        ``said`` is score and decision, ``row`` is packed, with the outputs behind it.
        Raises Transient when the disk refuses it.
        """
        self._log.append(self._one(name, at, *said, caller, entity) + row, self._header)

    def flush(self) -> None:
        """Write what is buffered; raises Transient when the disk refuses it."""
        self._log.flush()

    def close(self) -> None:
        """Let go of the segment; it may be rolled and deleted now."""
        self._log.close()

    def _header(self) -> SegmentHeader:
        return SegmentHeader("predictions", str(self._release), signature=self._signature, callers=tuple(self._callers))


class PairLog:
    """Appends what a challenger and the champion said of the same rows. Not for use by several threads."""

    def __init__(self, folder: Path, challenger: Ref, champion: Ref, *, size: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self._header = SegmentHeader("pairs", str(challenger), str(champion))
        self._log = _Log(folder, "pairs", durability="process", size=size)

    def append(self, records: NDArray[np.void]) -> None:
        """Write records of the type ``PAIR``, all or none; raises Transient when the disk refuses them."""
        self._log.append(records.tobytes(), lambda: self._header)

    def close(self) -> None:
        """Let go of the segment; it may be rolled and deleted now."""
        self._log.close()


class LabelLog:
    """Appends labels. Not for use by several threads."""

    def __init__(self, folder: Path, *, durability: Durability = "process", size: int = SEGMENT_BYTES) -> None:
        self._log = _Log(folder, "labels", durability=durability, size=size)

    def append(self, labels: Sequence[LabelRecord]) -> None:
        """Write labels, all or none; raises Transient when the disk refuses them."""
        lines = b"".join(msgspec.json.encode(label) + b"\n" for label in labels)
        self._log.append(lines, lambda: SegmentHeader("labels"))

    def flush(self) -> None:
        """Write what is buffered; raises Transient when the disk refuses it."""
        self._log.flush()

    def close(self) -> None:
        """Let go of the segment; it may be rolled and deleted now."""
        self._log.close()


def segments(folder: Path, kind: Kind) -> tuple[Segment, ...]:
    """The segments of a log, oldest first. What is in a closed one does not change any more."""
    if not folder.is_dir():
        return ()
    with alone(folder / _OPENING):
        return tuple(Segment(path, _is_closed(path)) for path in sorted(folder.glob(f"{kind}-*")))


def read_header(path: Path) -> tuple[SegmentHeader, int] | None:
    """The header and the offset of the first record; None when the writer died before the header was whole."""
    with path.open("rb") as file:
        line = file.readline()
    if not line.endswith(b"\n"):
        return None
    try:
        return read_json(line, SegmentHeader), len(line)
    except msgspec.DecodeError as error:
        raise _damaged(path, f"the first line is not a header: {error}") from error


def read_predictions(path: Path, header: SegmentHeader, offset: int) -> NDArray[np.void]:
    """The whole predictions or pairs from ``offset`` on. One that is torn, or empty after a power cut, ends them."""
    dtype = PAIR if header.kind == "pairs" else record_type(header.signature or Signature((), "", ""))
    content = _from(path, offset)
    records = np.frombuffer(content, dtype=dtype, count=len(content) // dtype.itemsize)
    empty = np.flatnonzero(records["id"] == b"")
    return records[: empty[0]] if len(empty) else records


def read_labels(path: Path, offset: int) -> tuple[tuple[LabelRecord, ...], int]:
    """The whole labels from ``offset`` on, and how many bytes they take."""
    content = _from(path, offset)
    whole = content[: content.rfind(b"\n") + 1]
    try:
        return tuple(_LABELS.decode_lines(whole)), len(whole)
    except msgspec.DecodeError as error:
        raise _damaged(path, f"a line is not a label: {error}") from error


def mark_rolled(folder: Path, kind: Kind, offsets: Mapping[str, int]) -> None:
    """Leave a note for ``waiting_bytes`` of how far each segment is in the lake; the lake itself knows better."""
    write_file(folder / f"{_ROLLED}{kind}.json", canonical_json(offsets))


def waiting_bytes(folder: Path) -> int:
    """How many bytes of the journal are not in the lake yet, about."""
    return sum(_waiting(folder, kind) for kind in KINDS)


def _waiting(folder: Path, kind: Kind) -> int:
    rolled: dict[str, int] = {}
    with suppress(FileNotFoundError):
        rolled = read_json((folder / f"{_ROLLED}{kind}.json").read_bytes(), dict[str, int])
    waiting = 0
    for path in folder.glob(f"{kind}-*"):
        with suppress(FileNotFoundError):  # rolled and deleted meanwhile
            waiting += max(0, path.stat().st_size - rolled.get(path.name, 0))
    return waiting


class _Log:
    """The segment that is open for writing; a new one when it is full or was closed."""

    def __init__(self, folder: Path, kind: Kind, *, durability: Durability, size: int) -> None:
        self._folder = folder
        self._kind = kind
        self._durability = durability
        self._limit = size
        self._handle = -1
        self._size = 0
        self._pending: list[bytes] = []
        self._header: Callable[[], SegmentHeader] | None = None

    def append(self, content: bytes, header: Callable[[], SegmentHeader]) -> None:
        if self._durability == "buffered":
            self._pending.append(content)
            self._header = header
        else:
            self._put(content, header)

    def flush(self) -> None:
        pending, self._pending = self._pending, []
        if pending and self._header is not None:
            self._put(b"".join(pending), self._header)

    def close(self) -> None:
        self.flush()
        self._let_go()

    def _put(self, content: bytes, header: Callable[[], SegmentHeader]) -> None:
        if self._size + len(content) > self._limit:
            self._let_go()
        try:
            if self._handle < 0:
                self._open(header())
            self._write(content)
        except OSError as error:
            raise unwritable("the journal", self._folder, error) from error

    def _let_go(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
        self._handle, self._size = -1, 0

    def _open(self, header: SegmentHeader) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._kind}-{time.time_ns():020d}-{secrets.token_hex(4)}"
        with alone(self._folder / _OPENING):
            self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            self._write(canonical_json(header) + b"\n")
        if self._durability == "power":
            _sync(self._folder)

    def _write(self, content: bytes) -> None:
        try:
            if os.write(self._handle, content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self._durability == "power":
                os.fdatasync(self._handle)
        except OSError:
            with suppress(OSError):  # what was not acknowledged must not stand before what will be
                os.ftruncate(self._handle, self._size)
            self._let_go()
            raise
        self._size += len(content)


def _damaged(path: Path, why: str) -> Tampered:
    return Tampered("journal_damaged", why, where=str(path), hint="move this file out of the journal, and look into it")


def _is_closed(path: Path) -> bool:
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _from(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
