"""Reading files that may grow: the cursor knows each loaded file by size and SHA-256 of its content.

- A file that is as it was is passed over (size with version or time of change, else its SHA-256, tell).
- A file of lines, records or Avro blocks that grew at its end gives the new rows only.
- A file that was changed in any other way is refused: rows of it stand in the table.
- A loaded file that is gone takes no rows with it, and is not loaded again when it comes back or under a new name.
- Where the source says that changes replace, a changed or absent file has all files read anew, in place of all rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic

import msgspec

from drivetrain.core.decoding import read_json
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import Refused
from drivetrain.core.sources.written import FileFormat, Written
from drivetrain.ingest.reading import Batch, Position
from drivetrain.store.files.batches import Change
from drivetrain.store.files.content import Content
from drivetrain.store.files.formats import can_grow, has_lines, open_content, read_rows
from drivetrain.store.files.listing import F, FoundFile, Listing


@dataclass(frozen=True)
class LoadedFile:
    """A file as it was when it was loaded: at rest, and its content after decompression; ``rows`` with broken ones."""

    name: str
    size: int
    mtime_ns: int
    content_size: int
    sha256: str
    rows: int
    version: str = ""

    def is_still(self, file: FoundFile) -> bool:
        """Whether the file is as it was, as far as a listing tells."""
        if self.version or file.version:
            return (self.size, self.version) == (file.size, file.version)
        return self.mtime_ns != 0 and (self.size, self.mtime_ns) == (file.size, file.mtime_ns)

    def seen_as(self, file: FoundFile) -> LoadedFile:
        """The same content under the name, time and version it has now."""
        return replace(self, name=file.name, size=file.size, mtime_ns=file.mtime_ns, version=file.version)


def read_files(listing: Listing[F], written: Written, cursor: str) -> Iterator[Batch | Position]:
    """The new rows of the files, in order, and Positions behind them; see the module's text.

    A cursor names every loaded file. So that many files take no quadratic time, a Position stands where a fourth of
    them is new (after each one, up to four). Raises InvalidInput for files that cannot be read, Refused for a
    rewritten one, Transient for one that changes while it is read, and what the listing raises.
    """
    files, loaded = listing.files(), _loaded(cursor)
    here = {file.name for file in files}
    gone = {file.sha256: file for name, file in loaded.items() if name not in here}
    reading, passed = _Reading(listing, written, loaded, gone), 0
    for file in files:
        for batch in reading.rows(file):
            yield replace(batch, done=passed + batch.done)
        passed += file.size
        if reading.news and 4 * len(reading.news) >= len(loaded):
            yield reading.position()
    if reading.news:
        yield reading.position()


def is_changed(listing: Listing[F], written: Written, cursor: str) -> bool:
    """Whether a loaded file is gone, or was changed in another way than at its end. Raises as ``read_files`` does."""
    files, loaded = listing.files(), _loaded(cursor)
    if loaded.keys() - {file.name for file in files}:
        return True
    known = ((file, loaded[file.name]) for file in files if file.name in loaded)
    return any(_is_rewritten(listing, file, before, written) for file, before in known if not before.is_still(file))


def read_anew(listing: Listing[F], written: Written) -> Iterator[Batch | Position]:
    """All rows of all files, which are the whole source. Raises as ``read_files`` does."""
    reading, passed = _Reading(listing, written, {}, {}), 0
    for file in listing.files():
        for batch in reading.rows(file):
            yield replace(batch, done=passed + batch.done, change=Change.WHOLE)
        passed += file.size
    yield reading.position()


def _loaded(cursor: str) -> dict[str, LoadedFile]:
    return {file.name: file for file in read_json(cursor, list[LoadedFile])} if cursor else {}


def _is_rewritten(listing: Listing[F], file: F, before: LoadedFile, written: Written) -> bool:
    with listing.lend(file) as path:
        content, kind = open_content(file.name, path, written)
        with content:
            try:
                _has_more(content, before, kind, written)
            except Refused:
                return True
    return False


@dataclass(frozen=True)
class _Reading(Generic[F]):
    """What is loaded as it grows, by name; what is gone, by SHA-256; and the SHA-256 of what was new of late."""

    listing: Listing[F]
    written: Written
    loaded: dict[str, LoadedFile]
    gone: dict[str, LoadedFile]
    news: list[str] = field(default_factory=list)

    def rows(self, file: F) -> Iterator[Batch]:
        before = self.loaded.get(file.name)
        if before is not None and before.is_still(file):
            return
        with self.listing.lend(file) as path:
            if before is None and self.gone and (moved := self.gone.pop(_sha256(file.name, path, self.written), None)):
                before = moved.seen_as(file)
                self.loaded[file.name] = before
            yield from self._rows_after(before, file, path)

    def _rows_after(self, before: LoadedFile | None, file: F, path: Path) -> Iterator[Batch]:
        content, kind = open_content(file.name, path, self.written)
        with content:
            if before is not None and not _has_more(content, before, kind, self.written):
                self.loaded[file.name] = before.seen_as(file)
                return
            rows = before.rows if before else 0
            for batch in read_rows(content, kind, self.written, rows + 1):
                rows = max([rows, *batch.numbers.to_numpy()[-1:], *(row.number for row in batch.broken)])
                yield batch
            self.loaded[file.name] = LoadedFile(
                file.name, file.size, file.mtime_ns, content.size, content.sha256, int(rows), file.version
            )
            self.news.append(content.sha256)

    def position(self) -> Position:
        content = self.news[0] if len(self.news) == 1 else digest_of(self.news)
        self.news.clear()
        return Position(msgspec.json.encode(list(self.loaded.values())).decode(), content)


def _has_more(content: Content, before: LoadedFile, kind: FileFormat, written: Written) -> bool:
    """Whether there is more after what was loaded; leaves the content there. Raises Refused when it was rewritten."""
    if not content.skip(before.content_size) or content.sha256 != before.sha256:
        raise _rewritten(content.name, before)
    if content.peek(1) and not can_grow(kind):
        raise _rewritten(content.name, before)
    if has_lines(kind, written) and content.last != b"\n" and content.peek(1):
        if content.peek(1) not in (b"\n", b"\r"):
            raise _rewritten(content.name, before)  # the last row, loaded without a line end, goes on
        content.readline()
    return bool(content.peek(1))


def _rewritten(name: str, before: LoadedFile) -> Refused:
    return Refused(
        "file_rewritten",
        f"the file is not what was loaded ({before.rows:,} rows, {before.content_size:,} bytes), with rows added at "
        f"its end; loading it again would double or mix rows",
        where=name,
        hint="put the old file back and new rows into a file of their own; or agree with `changes: replace` on the "
        "source to load all its files anew, in place of all rows",
    )


def _sha256(name: str, path: Path, written: Written) -> str:
    with open_content(name, path, written)[0] as content:
        content.skip(1 << 62)
        return content.sha256
