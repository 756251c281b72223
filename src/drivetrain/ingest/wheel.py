"""The kind ``wheel``: a data set inside a Python wheel, read as an archive. Nothing is imported or installed."""

from __future__ import annotations

from collections.abc import Iterator

from drivetrain.connect.place import Place
from drivetrain.connect.wheels import WheelMember
from drivetrain.core.sources.files import WheelSource
from drivetrain.ingest.file_set import read_files
from drivetrain.ingest.reading import Batch, Portion, Position
from drivetrain.store.files.listing import NearFiles, SourceFile, describe


class WheelReader:
    """A Reader of one member of one wheel, kept in the project's cache once it is fetched."""

    def __init__(self, spec: WheelSource, place: Place) -> None:
        self._spec = spec
        self._cache = place.cache
        self._member = WheelMember(spec.package, spec.version, spec.member, spec.sha256)

    def discover(self) -> tuple[Portion, ...]:
        """The member. Fetches it when it is not there yet; raises as ``WheelMember.fetched`` does."""
        file = self._file()
        return (Portion(file.name, file.size),)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """The member's rows; of a newer member only rows added at its end. Raises as ``discover`` does."""
        yield from read_files(NearFiles((self._file(),)), self._spec, cursor)

    def commit(self, cursor: str) -> None:
        """The cache keeps the member."""

    def _file(self) -> SourceFile:
        return describe(f"{self._spec.package}/{self._spec.member}", self._member.fetched(self._cache))
