"""Where predictions go: a Delta table or a folder of Parquet files. What the job says of itself is part of the rows.

Every step adds rows and the new cursor at once (in one Delta commit, in the metadata of one file), so that a job that
was killed goes on exactly behind the rows that are there. Bad rows stand in a second place beside it, ``-quarantine``.
They are written first; those that a kill left without their step are taken back when the job goes on.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from drivetrain.core.decoding import read_json
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import Refused
from drivetrain.core.schema import Column
from drivetrain.deliver.options import Format
from drivetrain.store.folders import write_file
from drivetrain.store.quarantine import Pin, Quarantine
from drivetrain.store.tables import Commit, Table

_OURS = b"drivetrain"
_NAME = re.compile(r"rows-(\d{12})\.parquet")


@dataclass(frozen=True)
class Cursor:
    """Where a job stands: row number ``row`` of part number ``part`` is done, and all before it.

    ``release``, ``inputs`` (their digest) and ``kept`` are what makes it this job; ``scored`` and ``bad`` count rows.
    """

    release: str
    inputs: str
    kept: tuple[Column, ...]
    part: int = 0
    row: int = 0
    scored: int = 0
    bad: int = 0
    complete: bool = False

    @property
    def rows(self) -> int:
        """How many rows are done."""
        return self.scored + self.bad


class Output(Protocol):
    """A place for predictions. One job at a time writes to it."""

    @property
    def path(self) -> Path:
        """Where the predictions are."""
        ...

    @property
    def quarantine(self) -> Path:
        """Where the bad rows are."""
        ...

    def cursor(self) -> Cursor | None:
        """Where the job that wrote here stands; None when nothing is here. Raises Refused when this is not ours."""
        ...

    def clear(self) -> None:
        """Let the next step replace what is here. Raises Refused when that is not ours."""
        ...

    def write(self, good: pa.Table, bad: pa.Table, cursor: Cursor) -> None:
        """Add predictions, bad rows (columns as in ``store.quarantine``) and the cursor behind them, in one step."""
        ...


def open_output(path: Path, form: Format) -> Output:
    """The place at ``path``."""
    return DeltaOutput(path) if form == "delta" else ParquetOutput(path)


@dataclass(frozen=True)
class _Standing:
    """What a Delta commit says: the cursor, and the version of the quarantine table that goes with it."""

    scores: Cursor
    quarantine: Pin = field(default_factory=Pin)


class DeltaOutput:
    """A Delta table; ``clear`` leaves older versions readable."""

    def __init__(self, path: Path) -> None:
        self.path, self.quarantine = path, _beside(path)
        self._table = Table(path)
        self._pin = Pin()
        self._fresh = False

    def cursor(self) -> Cursor | None:
        """See Output."""
        _check_ours((self.path, self.quarantine), "delta")
        if not self._table.exists():
            self._fresh = True
            return None
        state = self._table.state()
        try:
            standing = read_json(state.commit.cursor if state else "", _Standing)
        except msgspec.DecodeError:
            raise _taken(self.path) from None
        self._pin = standing.quarantine
        return standing.scores

    def clear(self) -> None:
        """See Output."""
        self.cursor()
        self._fresh = True

    def write(self, good: pa.Table, bad: pa.Table, cursor: Cursor) -> None:
        """See Output."""
        table, digest = Table(self.quarantine), digest_of(cursor)
        waiting = Quarantine(table, self._pin)
        if self._fresh and table.exists():
            self._pin = waiting.replace(bad.to_reader(), bad.num_rows, digest)
        elif bad.num_rows:
            _claim(self.quarantine, "delta")
            self._pin = waiting.add(bad.to_reader(), bad.num_rows, digest)
        _claim(self.path, "delta")
        commit = Commit(msgspec.json.encode(_Standing(cursor, self._pin)).decode(), digest, cursor.scored)
        put = self._table.overwrite if self._fresh else self._table.append
        put(good, commit)
        self._fresh = False


class ParquetOutput:
    """A folder of Parquet files, each named by how many rows of the input lie before it."""

    def __init__(self, path: Path) -> None:
        self.path, self.quarantine = path, _beside(path)
        self._rows = 0
        self._fresh = False

    def cursor(self) -> Cursor | None:
        """See Output. Files of the quarantine that go with no step are taken away."""
        _check_ours((self.path, self.quarantine), "parquet")
        files = _numbered(self.path)
        cursors = [_cursor_in(file) for file in files]
        last = cursors[-1] if cursors else None
        if sum(pq.read_metadata(file).num_rows for file in files) != (last.scored if last else 0):
            raise Refused(
                "output_damaged",
                "files of this output are missing",
                where=str(self.path),
                hint="bring them back, or score everything anew: --again",
            )
        self._rows = last.rows if last else 0
        for file in _numbered(self.quarantine):
            if _position(file) >= self._rows:
                file.unlink()
        for place in (self.path, self.quarantine):
            for unfinished in place.glob(".new-*"):
                unfinished.unlink()
        return last

    def clear(self) -> None:
        """See Output."""
        _check_ours((self.path, self.quarantine), "parquet")
        self._fresh = True

    def write(self, good: pa.Table, bad: pa.Table, cursor: Cursor) -> None:
        """See Output."""
        if self._fresh:
            self._remove_all()
            self._fresh = False
        name = f"rows-{self._rows:012}.parquet"
        if bad.num_rows:
            _claim(self.quarantine, "parquet")
            write_file(self.quarantine / name, _parquet(bad, {}))
        _claim(self.path, "parquet")
        write_file(self.path / name, _parquet(good, {_OURS: msgspec.json.encode(cursor)}))
        self._rows = cursor.rows

    def _remove_all(self) -> None:
        """The newest file goes first: what a kill leaves is the beginning of the old output."""
        for file in reversed([*_numbered(self.quarantine), *_numbered(self.path)]):
            file.unlink()
        self._rows = 0


def _mark(place: Path, form: Format) -> Path:
    """A file that says what a place is for, there before anything else, so that what a kill leaves is known too."""
    return place / f".drivetrain-score-{form}"


def _claim(place: Path, form: Format) -> None:
    if not _mark(place, form).exists():
        write_file(_mark(place, form), b"")


def _check_ours(places: tuple[Path, ...], form: Format) -> None:
    """Raise Refused when something lies in one of the places that no job with that format of output put there."""
    for place in places:
        if place.exists() and not (place.is_dir() and (_mark(place, form).exists() or not any(place.iterdir()))):
            raise _taken(place)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}-quarantine")


def _numbered(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("rows-*.parquet") if _NAME.fullmatch(file.name))


def _position(file: Path) -> int:
    return int(file.stem.partition("-")[2])


def _parquet(rows: pa.Table, said: dict[bytes, bytes]) -> bytes:
    file = io.BytesIO()
    pq.write_table(rows.replace_schema_metadata(said), file, compression="zstd")
    return file.getvalue()


def _cursor_in(file: Path) -> Cursor:
    try:
        metadata = pq.read_schema(file).metadata or {}
        return read_json(metadata.get(_OURS, b""), Cursor)
    except (pa.ArrowException, msgspec.DecodeError):
        raise _taken(file) from None


def _taken(path: Path) -> Refused:
    return Refused(
        "output_taken",
        "something lies there that `drivetrain score` did not write, or wrote in another format",
        where=str(path),
        hint="name another place: --to PATH",
    )
