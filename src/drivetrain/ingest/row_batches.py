"""What is new of a source's rows as batches: numbered, and parted into rows that stay and rows that go."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from drivetrain.core.schema import Schema
from drivetrain.ingest.reading import Batch, Position
from drivetrain.ingest.seen_rows import Seen, Whole
from drivetrain.store.files.batches import Change

MOST_ROWS = 10_000
Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]
_KEPT = {"", "0", "false", "f", "no", "n"}


@dataclass(frozen=True)
class Piece:
    """Some rows of a source, as text; the types that it says they have; whether a row may lack columns."""

    rows: pa.Table
    declared: Schema | None = None
    optional_fields: bool = False
    done: int = 0


@dataclass(frozen=True)
class Portioned:
    """The portion that rows belong to, and how they change the table: see ``Batch``.

    ``deleted`` is a column whose value marks a row as gone, by its ``key``: ``deleted_value``, or any that is not no.
    """

    portion: str
    key: tuple[str, ...] = ()
    deleted: str | None = None
    deleted_value: str | None = None


def new_batches(pieces: Iterable[Piece], seen: Seen, of: Portioned) -> Iterator[Batch | Position]:
    """The new rows, and a Position at the end if there are any. Raises what ``seen`` raises."""
    fresh = _fresh(pieces, seen)
    if isinstance(seen, Whole) and seen.has_before:
        fresh = _when_changed(fresh, seen)
    number = 1
    for piece in fresh:
        for start in range(0, piece.rows.num_rows, MOST_ROWS):
            rows = piece.rows.slice(start, MOST_ROWS)
            yield from _parted(replace(piece, rows=rows), number, seen.change, of)
            number += rows.num_rows
    position = seen.position()
    if position is not None:
        yield position


def _fresh(pieces: Iterable[Piece], seen: Seen) -> Iterator[Piece]:
    done = 0
    for piece in pieces:
        done += piece.rows.num_rows
        yield replace(piece, rows=seen.fresh(piece.rows), done=done)


def _when_changed(pieces: Iterable[Piece], seen: Whole) -> Iterator[Piece]:
    """All rows, once it is known that some of them are not what they were; they wait on disk for that."""
    with tempfile.TemporaryFile() as waiting:
        told = []
        for piece in pieces:
            with pa.ipc.new_stream(waiting, piece.rows.schema) as stream:
                stream.write_table(piece.rows)
            told.append(replace(piece, rows=None))
        if seen.position() is None:
            return
        waiting.seek(0)
        for piece in told:
            yield replace(piece, rows=pa.ipc.open_stream(waiting).read_all())


def _parted(piece: Piece, first: int, change: Change, of: Portioned) -> Iterator[Batch]:
    numbers = np.arange(first, first + piece.rows.num_rows)
    gone = _marked(piece.rows, of)
    if not gone.any() or not set(of.key) <= set(piece.rows.column_names):  # a key that is not there fails the load
        yield _batch(piece, numbers, change, of)
        return
    last = _last_changes(piece.rows, of.key)
    for kind, chosen in ((change, last[~gone[last]]), (Change.DROP, last[gone[last]])):
        if len(chosen):
            rows = piece.rows.take(chosen)
            rows = rows.select(of.key) if kind is Change.DROP else rows
            yield _batch(replace(piece, rows=rows), numbers[chosen], kind, of)


def _last_changes(rows: pa.Table, key: tuple[str, ...]) -> Numbers:
    """Of several rows with one key the place of the last; rows without a whole key are bad rows, each by itself."""
    keys = enumerate(zip(*(rows.column(name).to_pylist() for name in key), strict=True))
    last = {place if None in values else values: place for place, values in keys}
    return np.array(sorted(last.values()), dtype=np.int64)


def _marked(rows: pa.Table, of: Portioned) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    if of.deleted is None or of.deleted not in rows.schema.names:
        return np.zeros(rows.num_rows, dtype=bool)
    marks = rows.column(of.deleted).to_pylist()
    if of.deleted_value is not None:
        return np.array([mark == of.deleted_value for mark in marks], dtype=bool)
    return np.array([mark is not None and mark.lower() not in _KEPT for mark in marks], dtype=bool)


def _batch(piece: Piece, numbers: Numbers, change: Change, of: Portioned) -> Batch:
    return Batch(
        of.portion,
        piece.rows,
        pa.array(numbers, pa.int64()),
        declared=piece.declared,
        optional_fields=piece.optional_fields,
        done=piece.done,
        change=change,
    )
