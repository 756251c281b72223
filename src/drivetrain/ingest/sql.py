"""The kind ``sql``: a table or a query of a database."""

from __future__ import annotations

from collections.abc import Iterator

from drivetrain.connect.place import Place
from drivetrain.core.errors import MissingExtra
from drivetrain.core.sources.databases import SqlSource
from drivetrain.ingest.reading import Batch, Portion, Position, Reader


class SqlReader:
    """A Reader of one relation. Every reading stands in a read-only transaction and takes no locks."""

    def __init__(self, spec: SqlSource, place: Place) -> None:
        self._spec, self._place = spec, place

    def discover(self) -> tuple[Portion, ...]:
        """The relation, and its rows as the database's own statistics count them."""
        return self._reader().discover()

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """The rows; see ``databases.reader`` for the modes."""
        yield from self._reader().read(cursor)

    def commit(self, cursor: str) -> None:
        """Rows stay where they are."""

    def _reader(self) -> Reader:
        try:
            from drivetrain.ingest.databases.reader import RelationReader
        except ImportError as error:
            raise MissingExtra(error.name or "sqlalchemy", "sql") from error
        return RelationReader(self._spec, self._place)
