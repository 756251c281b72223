"""The kind ``cdc``: a table of PostgreSQL and its changes, by logical replication."""

from __future__ import annotations

from collections.abc import Iterator

from drivetrain.connect.place import Place
from drivetrain.core.errors import MissingExtra
from drivetrain.core.sources.databases import CdcSource
from drivetrain.ingest.reading import Batch, Portion, Position


class CdcReader:
    """A Reader of one table and its changes, and a Waiter; ``replication.reader`` has the whole of it."""

    def __init__(self, spec: CdcSource, place: Place) -> None:
        try:
            from drivetrain.ingest.replication.reader import TableReader
        except ImportError as error:
            raise MissingExtra(error.name or "psycopg", "sql") from error
        self._reader = TableReader(spec, place)

    def discover(self) -> tuple[Portion, ...]:
        """The table and its rows, or the changes that wait."""
        return self._reader.discover()

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """The whole table first, later its changes."""
        return self._reader.read(cursor)

    def commit(self, cursor: str) -> None:
        """Let the server forget the changes before the cursor."""
        self._reader.commit(cursor)

    def wait(self, seconds: float) -> bool:
        """Whether something was changed since the last reading."""
        return self._reader.wait(seconds)

    def lag(self) -> int:
        """How many changes wait after what was read last."""
        return self._reader.lag()

    def close(self) -> None:
        """Let go of the connection."""
        self._reader.close()
