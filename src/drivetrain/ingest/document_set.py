"""Documents that come and change: the cursor knows each by name and by the SHA-256 of its content.

- A document that is as it was is passed over, also under another name once the old one is gone.
- One whose content is another is another row; with a contract whose ``key`` is ``[path]`` it takes the old one's place.
- One that is gone takes no row with it.
- One that cannot be read is a bad row, and is tried again when it lies there under another name or with other content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pyarrow as pa

from drivetrain.connect.papers.desk import PaperDesk
from drivetrain.core.decoding import read_json
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import InvalidInput
from drivetrain.core.papers import PaperRow
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.core.sources.documents import DocumentsSource
from drivetrain.ingest.reading import Batch, BrokenRow, Position
from drivetrain.store.files.batches import Change
from drivetrain.store.files.listing import F, FoundFile, Listing
from drivetrain.store.originals import Originals

_TYPED = {
    "path": pa.string(), "sha256": pa.string(), "media_type": pa.string(), "title": pa.string(), "sender": pa.string(),
    "written_at": pa.timestamp("us", "UTC"), "language": pa.string(), "pages": pa.int64(), "text": pa.string(),
    "fields": pa.string(), "notes": pa.string(),
}  # fmt: skip
_ROWS = pa.schema(_TYPED)
_NAMED = {"written_at": ColumnType.TIMESTAMP, "pages": ColumnType.INTEGER}
_DECLARED = Schema(tuple(Column(name, _NAMED.get(name, ColumnType.TEXT)) for name in _TYPED))


@dataclass(frozen=True)
class LoadedDocument:
    """A document as it was when it was read."""

    name: str
    size: int
    mtime_ns: int
    sha256: str
    version: str = ""

    def is_still(self, file: FoundFile) -> bool:
        """Whether it is as it was, as far as a listing tells."""
        if self.version or file.version:
            return (self.size, self.version) == (file.size, file.version)
        return self.mtime_ns != 0 and (self.size, self.mtime_ns) == (file.size, file.mtime_ns)

    def seen_as(self, file: FoundFile) -> LoadedDocument:
        """The same content under the name, time and version it has now."""
        return replace(self, name=file.name, size=file.size, mtime_ns=file.mtime_ns, version=file.version)


class DocumentSet:
    """Reads the new documents of a source."""

    def __init__(self, spec: DocumentsSource, desk: PaperDesk, originals: Originals) -> None:
        self._spec, self._desk, self._originals = spec, desk, originals
        self._most = spec.limits.as_paper_limits().bytes

    def read(self, listing: Listing[F], cursor: str) -> Iterator[Batch | Position]:
        """A batch for each new document, and a Position at the end if there was one.

        Raises what the listing raises, Transient for a document that changes while it is read, and MissingExtra.
        """
        files = listing.files()
        loaded = {one.name: one for one in read_json(cursor, list[LoadedDocument])} if cursor else {}
        here = {file.name for file in files}
        gone = {one.sha256: one for one in loaded.values() if one.name not in here}
        news, done = [], 0
        for file in files:
            before = loaded.get(file.name)
            done += file.size
            if before is not None and before.is_still(file):
                continue
            with listing.lend(file) as path:
                sha256 = _sha256(path)
                known = before if before is not None and before.sha256 == sha256 else None
                if before is None:
                    known = gone.pop(sha256, None)
                if known is None:
                    yield self._batch(file, path, sha256, done)
                    news.append(sha256)
            loaded[file.name] = (known or LoadedDocument("", 0, 0, sha256)).seen_as(file)
        if news:
            yield Position(msgspec.json.encode(list(loaded.values())).decode(), digest_of(news))

    def _batch(self, file: FoundFile, path: Path, sha256: str, done: int) -> Batch:
        content = path.read_bytes() if path.stat().st_size <= self._most else b""
        broken: tuple[BrokenRow, ...] = ()
        rows: list[dict[str, object]] = []
        try:
            if not content and file.size:
                why = f"the document has {file.size:,} bytes, more than {self._most:,}"
                raise InvalidInput("document_too_large", why)
            rows = [_row(file.name, sha256, self._desk.describe(content))]
        except InvalidInput as error:
            broken = (BrokenRow(1, file.name, f"{error.code}: {error.message}"),)
        if content and self._spec.retention_days is not None:
            self._originals.keep(content, sha256, self._spec.retention_days)
        table, numbers = pa.Table.from_pylist(rows, _ROWS), pa.array(range(1, len(rows) + 1), pa.int64())
        change = Change.PUT if self._spec.contract.key else Change.ADD
        return Batch(file.name, table, numbers, broken, declared=_DECLARED, done=done, change=change)


def _row(path: str, sha256: str, told: PaperRow) -> dict[str, object]:
    columns = {name: getattr(told, name) for name in _TYPED if hasattr(told, name)}
    return {**columns, "path": path, "sha256": sha256, "fields": msgspec.json.encode(told.fields).decode()}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
