"""The kind ``documents``: a row for each PDF, Word document, e-mail, HTML page, picture or text; here or afar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from drivetrain.connect.papers.desk import PaperDesk
from drivetrain.connect.papers.taggers import read_tagger
from drivetrain.connect.place import Place
from drivetrain.core.sources.documents import DocumentsSource
from drivetrain.ingest.afar.open import open_afar
from drivetrain.ingest.document_set import DocumentSet
from drivetrain.ingest.reading import Batch, Portion, Position
from drivetrain.store.catalog import STATE
from drivetrain.store.files.listing import NearFiles, find_files
from drivetrain.store.originals import Originals


class DocumentsReader:
    """A Reader of documents. Each is read in a process of its own: one that ends it is a bad row, not a failed load."""

    def __init__(self, spec: DocumentsSource, place: Place) -> None:
        self._spec, self._place = spec, place
        self._originals = Originals(place.home / STATE)

    def discover(self) -> tuple[Portion, ...]:
        """The documents, by name. Raises as the reader of files does."""
        spec = self._spec
        if spec.is_afar:
            with open_afar(spec, self._place) as afar:
                return tuple(Portion(file.name, file.size) for file in afar.files())
        found = find_files(spec.path, spec.format, self._place.home)
        return tuple(Portion(file.name, file.size) for file in found)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """The rows of new documents; see ``document_set``. Raises MissingExtra, and Transient when nothing can read."""
        spec = self._spec
        tagger = read_tagger(self._place.home / spec.tagger) if spec.tagger else b""
        with closing(PaperDesk(spec.reading(tagger))) as desk:
            documents = DocumentSet(spec, desk, self._originals)
            if spec.is_afar:
                with open_afar(spec, self._place) as afar:
                    yield from documents.read(afar, cursor)
            else:
                near = NearFiles(find_files(spec.path, spec.format, self._place.home))
                yield from documents.read(near, cursor)

    def commit(self, cursor: str) -> None:
        """Originals that are over their days go."""
        self._originals.sweep()
