"""The kind ``logs``: a log that is written, followed through its rotation; each record once."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import msgspec

from drivetrain.connect.place import Place
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import InvalidInput
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.core.sources.logs import LogsSource
from drivetrain.ingest.log_files import ENDS, LogFile, Stream, assign, find_log, stream_after
from drivetrain.ingest.log_lines import Lines, lines_of
from drivetrain.ingest.log_records import Records
from drivetrain.ingest.reading import Batch, Portion, Position
from drivetrain.ingest.sessions import Seen, SessionIds
from drivetrain.store.files.content import Content
from drivetrain.store.files.text_rows import TextRows

_QUIET = 60  # seconds without a change, after which the last record of several lines is complete
_KEPT = 1000  # streams


@dataclass(frozen=True)
class _Cursor:
    """How far each file of the log was read, and the sessions that may go on."""

    streams: list[Stream] = field(default_factory=list)
    sessions: dict[str, Seen] = field(default_factory=dict)


class LogsReader:
    """A Reader of a log in this machine's file system."""

    def __init__(self, spec: LogsSource, place: Place) -> None:
        self._spec, self._home = spec, place.home

    def discover(self) -> tuple[Portion, ...]:
        """The file that is written, and the rotated ones. Raises NotFound."""
        return tuple(Portion(file.name, file.size) for file in find_log(self._spec.path, self._home))

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """New records, the oldest file first, and a Position after each file that has any.

        A record that does not fit the format is broken. Raises NotFound without any file, InvalidInput for patterns
        that are none and records without an end, Transient when the log is rotated meanwhile.
        """
        before = read_json(cursor, _Cursor) if cursor else _Cursor()
        files = find_log(self._spec.path, self._home)
        plan = assign(files, before.streams)
        reading = _Reading(self._spec, list(before.streams), before.sessions)
        passed = 0
        for file in files:
            if file.name in plan:
                for item in reading.read(file, plan[file.name]):
                    yield replace(item, done=passed + item.done) if isinstance(item, Batch) else item
            passed += file.size

    def commit(self, cursor: str) -> None:
        """The files belong to who writes them."""


class _Reading:
    """One reading of a log: the streams as they go on, and the sessions."""

    def __init__(self, spec: LogsSource, streams: list[Stream], sessions: dict[str, Seen]) -> None:
        self._spec, self._streams = spec, streams
        self._starts = _compiled(spec.starts)
        self._sessions = SessionIds(spec.sessions, sessions) if spec.sessions else None

    def read(self, file: LogFile, known: Stream | None) -> Iterator[Batch | Position]:
        if known is not None and known.is_still(file) and (file.is_packed or known.place == file.size):
            return
        with file.open() as content:
            head, records = content.peek(ENDS), self._records(content, known)
            first = known.rows if known else 0
            yield from self._batches(file, content, records, first)
        if known is not None or records.count:
            now = stream_after(file, records.place, first + records.count, (head, records.tail))
            others = [one for one in self._streams if one is not known]
            self._streams = [*others[-_KEPT + 1 :], now]
        if records.count:
            sessions = self._sessions.open() if self._sessions else {}
            yield Position(msgspec.json.encode(_Cursor(self._streams, sessions)).decode(), records.sha256)

    def _records(self, content: Content, known: Stream | None) -> Records:
        if known is None:
            return Records(content, 0, b"", self._starts)
        content.pass_over(max(0, known.place - ENDS))
        return Records(content, known.place, content.read(min(ENDS, known.place)), self._starts)

    def _batches(self, file: LogFile, content: Content, records: Records, passed: int) -> Iterator[Batch]:
        written = datetime.fromtimestamp(file.mtime_ns / 1e9, UTC)
        lines = lines_of(self._spec, written)
        columns = self._columns(lines)
        rows = TextRows(content, passed + 1, names=columns.names if columns else (), declared=columns)
        is_quiet = time.time() - file.mtime_ns / 1e9 > _QUIET
        is_over = file.is_packed or (is_quiet and not file.is_current)
        for some in records.read(is_over=is_over, is_quiet=is_quiet):
            for record in some:
                self._add(rows, record, lines)
                if rows.is_full:
                    yield rows.take()
        if not rows.is_empty:
            yield rows.take()

    def _add(self, rows: TextRows, record: bytes, lines: Lines) -> None:
        text = record.decode(errors="backslashreplace").rstrip("\r\n")
        if not text.strip():
            rows.skip()
        elif (row := lines.parse(text)) is None:
            rows.broken(text, f"the record is not of the format {self._spec.format}")
        else:
            if self._sessions is not None:
                self._sessions.add_to(row)
            rows.add(row)

    def _columns(self, lines: Lines) -> Schema | None:
        if lines.columns is None or self._spec.sessions is None:
            return lines.columns
        return Schema((*lines.columns.columns, Column(self._spec.sessions.column, ColumnType.TEXT)))


def _compiled(starts: str | None) -> re.Pattern[bytes] | None:
    try:
        return None if starts is None else re.compile(starts.encode())
    except re.error as error:
        raise InvalidInput(
            "pattern_invalid",
            f"`starts` is no regular expression: {error}",
            where=str(starts)[:200],
            hint="signs such as [ ( . need a \\ before",
        ) from None
