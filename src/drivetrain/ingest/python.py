"""The kind ``python``: rows that a person's own code gives, as tables, frames or dicts."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import msgspec

from drivetrain.connect.place import Place
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import DrivetrainError, InvalidInput, Transient
from drivetrain.core.plugins import load_hook
from drivetrain.core.schema import ColumnType
from drivetrain.core.sources.code import PythonSource
from drivetrain.ingest.moments import moment_of, time_of
from drivetrain.ingest.python_items import pieces_of
from drivetrain.ingest.reading import Batch, Portion, Position
from drivetrain.ingest.row_batches import Piece, Portioned, new_batches
from drivetrain.ingest.seen_rows import Grown, Growth, Newest, Seen, Since, Whole

T = TypeVar("T")
_NUMBERS = {ColumnType.INTEGER, ColumnType.NUMBER}
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


@dataclass(frozen=True)
class Asked:
    """The cursor: the type of the column that grows (none without one), and what is known of the rows."""

    type: ColumnType | None
    seen: str


class PythonReader:
    """A Reader of what one object of a person's code gives."""

    def __init__(self, spec: PythonSource, place: Place) -> None:
        self._spec, self._home = spec, place.home

    def discover(self) -> tuple[Portion, ...]:
        """The object; nobody knows its size. Raises InvalidInput when it is not there."""
        self._found()
        return (Portion(self._spec.path, 0),)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """The rows that ``seen_rows`` takes for new, and a Position at the end.

        Raises InvalidInput for code that fails or gives what is no row, Transient where its connection failed.
        """
        before = read_json(cursor, Asked) if cursor else Asked(None, "")
        pieces = self._guarded(self._pieces(before))
        first = list(islice(pieces, 1))
        kind = self._kind(first) or before.type
        for item in new_batches(chain(first, pieces), self._seen(kind, before.seen), self._portioned):
            if isinstance(item, Position):
                after = Asked(kind, item.cursor)
                yield Position(msgspec.json.encode(after).decode(), item.content)
            else:
                yield item

    def commit(self, cursor: str) -> None:
        """Nothing is told to the code."""

    def _pieces(self, before: Asked) -> Iterator[Piece]:
        found = self._found()
        if callable(found) and not isinstance(found, Iterable):
            takes_since = "since" in inspect.signature(found).parameters
            if takes_since and self._spec.cursor is None:
                raise InvalidInput(
                    "source_cursor_missing",
                    "the function takes `since`, but the source names no column that grows",
                    where=self._spec.path,
                    hint="add `cursor: COLUMN` to the source: `since` takes its largest value so far",
                )
            found = found(since=_since(before)) if takes_since else found()
        yield from pieces_of(found, self._spec.path, self._spec.depth)

    def _found(self) -> object:
        return self._guard(lambda: load_hook(self._spec.path, self._home))

    def _kind(self, first: list[Piece]) -> ColumnType | None:
        """The type of the column that grows, as the first rows tell it."""
        columns = [column for piece in first if piece.declared for column in piece.declared.columns]
        return next((column.type for column in columns if column.name == self._spec.cursor), None)

    def _seen(self, kind: ColumnType | None, cursor: str) -> Seen:
        spec = self._spec
        keyed = bool(spec.contract.key)
        if spec.cursor is not None:
            growth = Growth(spec.cursor, "number" if kind in _NUMBERS else "iso")
            return Since(growth, cursor, spec.path, keyed=keyed)
        return (Whole if keyed else Grown)(cursor, spec.path)

    @property
    def _portioned(self) -> Portioned:
        spec = self._spec
        return Portioned(spec.path, spec.contract.key, spec.deleted)

    def _guarded(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        while (piece := self._guard(lambda: next(pieces, None))) is not None:
            yield piece

    def _guard(self, call: Callable[[], T]) -> T:
        """What the person's code gives, its errors as ours."""
        try:
            return call()
        except DrivetrainError:
            raise
        except Exception as error:
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            where = self._line(error)
            if isinstance(error, OSError) and not isinstance(error, _FINAL):
                raise Transient(
                    "source_code_unreached", said, where=where, hint="run the same command again later"
                ) from error
            raise InvalidInput(
                "source_code_failed", said, where=where, hint=f"correct the code of {self._spec.path}"
            ) from error

    def _line(self, error: Exception) -> str:
        """The innermost line of the person's own code."""
        frames = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename).is_relative_to(self._home)
        ]
        return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else self._spec.path


def _since(before: Asked) -> int | float | date | datetime | str | None:
    """The largest value so far, in the type that it was given in."""
    if not before.seen:
        return None
    value = read_json(before.seen, Newest).value
    match before.type:
        case ColumnType.INTEGER:
            return int(value)
        case ColumnType.NUMBER:
            return float(value)
        case ColumnType.TIMESTAMP:
            return time_of(moment_of(value, "iso"))
        case ColumnType.DATE:
            return date.fromisoformat(value[:10])
        case _:
            return value
