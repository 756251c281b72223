"""The kind ``iceberg``: a table of a lake by snapshot, found by its path or by a catalog."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from drivetrain.connect.place import Place
from drivetrain.core.errors import MissingExtra
from drivetrain.core.sources.lakes import IcebergSource
from drivetrain.ingest.lake_reading import read_lake
from drivetrain.ingest.reading import Batch, Portion, Position

if TYPE_CHECKING:
    from drivetrain.ingest.iceberg.table import IcebergTable


class IcebergReader:
    """A Reader of an Iceberg table."""

    def __init__(self, spec: IcebergSource, place: Place) -> None:
        self._spec, self._place = spec, place
        self._name = spec.table or spec.path or ""

    def discover(self) -> tuple[Portion, ...]:
        """The table, with the size of its data files in bytes. Raises NotFound, Forbidden, Refused and Transient."""
        return (Portion(self._name, sum(file.size for file in self._open().files())),)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """What is new since the snapshot of the cursor, up to the newest one or the one that the source names.

        Raises what ``discover`` raises, and Refused when rows were changed and the contract has no key.
        """
        yield from read_lake(self._name, self._open(), cursor, keyed=bool(self._spec.contract.key))

    def commit(self, cursor: str) -> None:
        """The table stays as it is."""

    def _open(self) -> IcebergTable:
        try:
            from drivetrain.ingest.iceberg.table import open_table
        except ImportError as error:
            raise MissingExtra(error.name or "pyiceberg", "iceberg") from None
        return open_table(self._spec, self._place)
