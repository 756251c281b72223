"""The kind ``files``: one path, a folder or a glob."""

from __future__ import annotations

from collections.abc import Iterator

from drivetrain.core.sources.files import FilesSource
from drivetrain.ingest.file_set import read_files
from drivetrain.ingest.reading import Batch, Place, Portion, Position
from drivetrain.store.files.listing import NearFiles, find_files


class FilesReader:
    """A Reader of files that lie in this machine's file system."""

    def __init__(self, spec: FilesSource, place: Place) -> None:
        self._spec, self._home = spec, place.home

    def discover(self) -> tuple[Portion, ...]:
        """The files, by name. Raises NotFound."""
        files = find_files(self._spec.path, self._spec.format, self._home)
        return tuple(Portion(file.name, file.size) for file in files)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """New rows; see ``file_set`` for what is new and what is refused."""
        spec = self._spec
        yield from read_files(NearFiles(find_files(spec.path, spec.format, self._home)), spec, cursor)

    def commit(self, cursor: str) -> None:
        """Files stay where they are."""
