"""The contract of a Reader, as tests. A plugin subclasses ``ReaderContract``, says how its source is made, and is run
by pytest like any other test class."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest

from drivetrain.connect.place import Place
from drivetrain.core.credentials import NoSecrets, Secrets
from drivetrain.core.errors import DrivetrainError, Transient
from drivetrain.core.sources import SourceSpec
from drivetrain.ingest.ingest import ingest, ingest_from
from drivetrain.ingest.reading import Batch, Portion, Position, Reader, open_reader
from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Table

Row = tuple[str | None, ...]

_GROWTHS = 3


@dataclass(frozen=True)
class Taken:
    """What one reading gave."""

    batches: tuple[Batch, ...]
    positions: tuple[Position, ...]

    @property
    def rows(self) -> list[Row]:
        """The rows of all batches, in order."""
        columns = ([_text(column) for column in batch.rows.columns] for batch in self.batches)
        return [row for batch in columns for row in zip(*batch, strict=True)]

    @property
    def cursor(self) -> str:
        """Where the next reading starts."""
        return self.positions[-1].cursor


class Killed(BaseException):
    """The process ends here: nothing that follows is done, as after ``kill -9``."""


class Faulty:
    """A Reader that breaks sooner or later, as the stage sees it: before an item, after it, or at commit."""

    def __init__(self, reader: Reader, chance: random.Random) -> None:
        self._reader, self._chance = reader, chance
        self._left = chance.randrange(8)

    def discover(self) -> tuple[Portion, ...]:
        """What the reader discovers, unless it breaks."""
        self._break()
        return self._reader.discover()

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """What the reader reads, up to where it breaks."""
        for item in self._reader.read(cursor):
            self._break()
            yield item
            self._break()

    def commit(self, cursor: str) -> None:
        """Told before it breaks, or never."""
        self._break()
        self._reader.commit(cursor)
        self._break()

    def _break(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise self._chance.choice([Killed(), Transient("storage_unavailable", "the source went away")])


class ReaderContract(ABC):
    """Nine promises that ``ingest`` builds on. The source that ``make`` makes has the columns ``id`` and ``word``."""

    secrets: Secrets = NoSecrets()
    """Who knows the credentials that the source names."""

    faults: ClassVar[int] = 6
    """How many loads break in the test of faults. It is quick to pass where it passes: 200 tell more."""

    @abstractmethod
    def make(self, home: Path, rows: list[tuple[int, str]]) -> SourceSpec:
        """Put a source with these rows, in this order, in or beside the project folder ``home``."""

    @abstractmethod
    def add(self, home: Path, rows: list[tuple[int, str]]) -> SourceSpec:
        """Add rows to the source that ``make`` made, in the way in which it grows; gives its spec from now on."""

    @abstractmethod
    def remove(self, home: Path) -> None:
        """Take the source away."""

    def open(self, spec: SourceSpec, home: Path) -> Reader:
        """A reader of the source, through the plugin door."""
        return open_reader(spec, Place(home, home / ".drivetrain" / "cache", self.secrets))

    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        """An empty project folder."""
        return tmp_path

    @pytest.fixture
    def spec(self, home: Path) -> SourceSpec:
        """A source of three rows."""
        return self.make(home, [(1, "one"), (2, "two"), (3, "three")])

    @pytest.fixture
    def reader(self, spec: SourceSpec, home: Path) -> Reader:
        """A reader of that source, through the plugin door."""
        return self.open(spec, home)

    def test_discovers_what_there_is(self, reader: Reader) -> None:
        """Names and sizes, the same when asked again."""
        portions = reader.discover()
        assert portions
        assert all(portion.name and portion.size >= 0 for portion in portions)
        assert reader.discover() == portions

    def test_reads_every_row(self, reader: Reader) -> None:
        """All rows, in order, numbered from 1 within their portion; as text, or in the types of the source."""
        taken = _take(reader, "")
        assert taken.rows == [("1", "one"), ("2", "two"), ("3", "three")]
        places = [(batch.portion, number) for batch in taken.batches for number in batch.numbers.to_pylist()]
        assert len(set(places)) == 3
        assert min(number for _, number in places) == 1

    def test_reads_the_same_again(self, reader: Reader) -> None:
        """A load that was cut off starts again from its cursor: nothing may depend on the first attempt."""
        next(iter(reader.read("")))
        first, again = _take(reader, ""), _take(reader, "")
        assert first.rows == again.rows
        assert [one.content for one in first.positions] == [one.content for one in again.positions]

    def test_has_nothing_new_after_its_cursor(self, spec: SourceSpec, reader: Reader, home: Path) -> None:
        """A second reading gives neither rows nor a position; also from a reader that never read the first part."""
        cursor = _take(reader, "").cursor
        assert _take(self.open(spec, home), cursor) == Taken((), ())

    def test_reads_only_what_was_added(self, reader: Reader, home: Path) -> None:
        """After the source grew, the old cursor gives the new rows, and their digest differs from the first."""
        first = _take(reader, "")
        grown = self.add(home, [(4, "four")])
        second = _take(self.open(grown, home), first.cursor)
        assert second.rows == [("4", "four")]
        assert second.positions[-1].content != first.positions[-1].content
        assert _take(self.open(grown, home), second.cursor) == Taken((), ())

    def test_commit_may_be_told_twice(self, spec: SourceSpec, reader: Reader, home: Path) -> None:
        """The process may end between the table's commit and this call, so it is told again."""
        cursor = _take(reader, "").cursor
        reader.commit(cursor)
        self.open(spec, home).commit(cursor)
        assert _take(self.open(spec, home), cursor).rows == []

    def test_a_missing_source_is_an_error_with_a_cure(self, spec: SourceSpec, home: Path) -> None:
        """A source that is not there is said to be so, never taken for an empty one."""
        self.remove(home)
        with pytest.raises(DrivetrainError) as caught:
            _take(self.open(spec, home), "")
        assert caught.value.hint
        assert caught.value.where

    def test_faults_lose_and_double_nothing(self, spec: SourceSpec, home: Path) -> None:
        """Loads that end anywhere, by a fault or as by a kill, while the source grows; then one that does not."""
        chance, wanted = random.Random(4), {1, 2, 3}  # noqa: S311 - no secret, only the same faults every time
        with Catalog(home) as catalog:
            for number in range(4, 4 + self.faults):
                if number < 4 + _GROWTHS:
                    spec = self.add(home, [(number, f"row-{number}")])
                    wanted.add(number)
                with suppress(Transient, Killed):
                    ingest_from(Faulty(self.open(spec, home), chance), spec, "words", catalog)
            dataset = ingest_from(self.open(spec, home), spec, "words", catalog)
            table = Table(catalog.table_path("datasets", "words")).read(dataset.version)
        assert sorted(table.column("id").to_pylist()) == sorted(wanted)

    def test_ingests_each_row_once(self, spec: SourceSpec, home: Path) -> None:
        """Through the whole stage: load, nothing new, growth."""
        with Catalog(home) as catalog:
            first = ingest(spec, "words", catalog, secrets=self.secrets)
            assert ingest(spec, "words", catalog, secrets=self.secrets) == first
            second = ingest(self.add(home, [(4, "four")]), "words", catalog, secrets=self.secrets)
            assert (first.rows, second.rows) == (3, 4)
            table = Table(catalog.table_path("datasets", "words")).read(second.version)
        assert sorted(table.column("id").to_pylist()) == [1, 2, 3, 4]


def _text(column: pa.ChunkedArray) -> list[str | None]:
    return [None if value is None else str(value) for value in column.to_pylist()]


def _take(reader: Reader, cursor: str) -> Taken:
    items: Iterator[Batch | Position] = reader.read(cursor)
    batches, positions = [], []
    for item in items:
        if isinstance(item, Batch):
            batches.append(item)
        else:
            positions.append(item)
    return Taken(tuple(batches), tuple(positions))
