"""The kind ``files``: one path, a folder or a glob; here or afar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drivetrain.connect.place import Place
from drivetrain.core.sources.files import FilesSource
from drivetrain.ingest.afar.open import open_afar
from drivetrain.ingest.file_set import is_changed, read_anew, read_files
from drivetrain.ingest.reading import Batch, Portion, Position
from drivetrain.store.files.listing import F, FoundFile, Listing, NearFiles, find_files


class FilesReader:
    """A Reader of files that lie in this machine's file system, in an object store, or on a web or SFTP server."""

    def __init__(self, spec: FilesSource, place: Place) -> None:
        self._spec, self._place = spec, place

    def discover(self) -> tuple[Portion, ...]:
        """The files, by name. Raises NotFound; files afar also raise as ``afar.store.Store`` does."""
        if not self._spec.is_afar:
            return _portions(find_files(self._spec.path, self._spec.format, self._place.home))
        with open_afar(self._spec, self._place) as afar:
            return _portions(afar.files())

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """New rows; see ``file_set`` for what is new and what is refused. Files afar are fetched one at a time."""
        spec = self._spec
        if not spec.is_afar:
            yield from self._read(NearFiles(find_files(spec.path, spec.format, self._place.home)), cursor)
            return
        with open_afar(spec, self._place) as afar:
            yield from self._read(afar, cursor)

    def _read(self, listing: Listing[F], cursor: str) -> Iterator[Batch | Position]:
        if self._spec.changes == "replace" and is_changed(listing, self._spec, cursor):
            return read_anew(listing, self._spec)
        return read_files(listing, self._spec, cursor)

    def commit(self, cursor: str) -> None:
        """Files stay where they are."""


def _portions(files: Sequence[FoundFile]) -> tuple[Portion, ...]:
    return tuple(Portion(file.name, file.size) for file in files)
