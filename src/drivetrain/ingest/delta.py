"""The kind ``delta``: a table of a lake by version. Its commits say whether rows were added or the table rewritten."""

from __future__ import annotations

from collections.abc import Iterator

from drivetrain.connect.afar.address import parse_address
from drivetrain.connect.afar.buckets import table_options
from drivetrain.connect.place import Place
from drivetrain.core.sources.lakes import DeltaSource
from drivetrain.ingest.delta_table import LakeTable
from drivetrain.ingest.lake_reading import read_lake
from drivetrain.ingest.reading import Batch, Portion, Position


class DeltaReader:
    """A Reader of a Delta table."""

    def __init__(self, spec: DeltaSource, place: Place) -> None:
        self._spec, self._place = spec, place

    def discover(self) -> tuple[Portion, ...]:
        """The table, with the size of its files in bytes. Raises NotFound, Forbidden, Refused and Transient."""
        return (Portion(self._spec.path, sum(file.size for file in self._open().files())),)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """What is new since the version of the cursor, up to the newest one or the one that the source names.

        Raises what ``discover`` raises, and Refused when rows were changed and the contract has no key.
        """
        yield from read_lake(self._spec.path, self._open(), cursor, keyed=bool(self._spec.contract.key))

    def commit(self, cursor: str) -> None:
        """The table stays as it is."""

    def _open(self) -> LakeTable:
        spec, options = self._spec, {}
        if spec.is_afar:
            options = table_options(parse_address(spec.path), spec.storage, self._place.secrets)
        uri = spec.path if spec.is_afar else str(self._place.home / spec.path)
        return LakeTable(uri, f"delta {spec.path}", options, spec.version)
