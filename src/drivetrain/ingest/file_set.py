"""Reading files that may grow: the cursor knows each loaded file by size and SHA-256 of its content.

- A file that is as it was is passed over (size and time of change, else its SHA-256, tell).
- A CSV or JSON lines file that grew at its end gives the new rows only.
- A file that was changed in any other way is refused: rows of it stand in the table.
- A loaded file that is gone takes no rows with it, and is not loaded again when it comes back or under a new name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from drivetrain.core.decoding import read_json
from drivetrain.core.errors import InvalidInput, Refused, Transient
from drivetrain.core.sources.files import FileFormat
from drivetrain.ingest.reading import Batch, Position
from drivetrain.store.files.content import Content
from drivetrain.store.files.delimited import read_delimited, read_layout
from drivetrain.store.files.json_lines import check_json_lines, read_json_lines
from drivetrain.store.files.listing import SourceFile, describe, format_by_name
from drivetrain.store.files.parquet import read_parquet


@dataclass(frozen=True)
class Options:
    """How the files are written."""

    format: FileFormat
    delimiter: str | None
    null_values: tuple[str, ...]


@dataclass(frozen=True)
class LoadedFile:
    """A file as it was when it was loaded: at rest, and its content after decompression; ``rows`` with broken ones."""

    name: str
    size: int
    mtime_ns: int
    content_size: int
    sha256: str
    rows: int


def read_files(files: Sequence[SourceFile], options: Options, cursor: str) -> Iterator[Batch | Position]:
    """The new rows of the files, in order, with a Position after each file that has any; see the module's text.

    Raises InvalidInput for files that cannot be read, Refused for a rewritten one, Transient for one that changes
    while it is read.
    """
    loaded = {file.name: file for file in read_json(cursor, list[LoadedFile])} if cursor else {}
    here = {file.name for file in files}
    gone = {file.sha256: file for name, file in loaded.items() if name not in here}
    passed = 0
    for file in files:
        before = loaded.get(file.name)
        if before is None and gone and (moved := gone.pop(_sha256(file), None)):
            before = loaded[file.name] = replace(moved, name=file.name, mtime_ns=file.mtime_ns, size=file.size)
        if before is None or (before.size, before.mtime_ns) != (file.size, file.mtime_ns):
            for item in _read_file(file, options, before):
                if isinstance(item, Batch):
                    yield replace(item, done=passed + item.done)
                else:
                    loaded[file.name] = item
                    yield Position(msgspec.json.encode(list(loaded.values())).decode(), item.sha256)
        passed += file.size


def _read_file(file: SourceFile, options: Options, before: LoadedFile | None) -> Iterator[Batch | LoadedFile]:
    with Content(file.name, file.path) as content:
        if before is not None and not _has_more(content, before):
            return
        rows = before.rows if before else 0
        for batch in _rows(content, options, before):
            rows = max([rows, *batch.numbers.to_numpy()[-1:], *(row.number for row in batch.broken)])
            yield batch
        now = describe(file.name, file.path)
        if (now.size, now.mtime_ns) != (file.size, file.mtime_ns):
            raise Transient("file_changing", "the file changed while it was read", where=file.name, hint="try again")
        yield LoadedFile(file.name, file.size, file.mtime_ns, content.size, content.sha256, int(rows))


def _rows(content: Content, options: Options, before: LoadedFile | None) -> Iterator[Batch]:
    kind, first = _format(content, options.format), before.rows + 1 if before else 1
    if kind == "parquet":
        if before is not None:
            raise _rewritten(content.name, before)
        return read_parquet(content)
    if kind == "jsonl":
        if before is None:
            check_json_lines(content)
        return read_json_lines(content, options.null_values, first)
    layout = read_layout(content.name, content.path, options.delimiter)
    if before is None:
        content.skip(layout.size)
    return read_delimited(content, layout, options.null_values, first)


def _has_more(content: Content, before: LoadedFile) -> bool:
    """Whether there is more after what was loaded; leaves the content there. Raises Refused when it was rewritten."""
    if not content.skip(before.content_size) or content.sha256 != before.sha256:
        raise _rewritten(content.name, before)
    if content.last != b"\n" and content.peek(1):
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
        hint="put the old file back and new rows into a file of their own; or give the source a new name in "
        "drivetrain.yaml to load it from the start",
    )


def _format(content: Content, wanted: FileFormat) -> FileFormat:
    if wanted != "auto":
        return wanted
    found = "parquet" if content.peek(4) == b"PAR1" else format_by_name(content.name)
    if found is None:
        raise InvalidInput(
            "format_unknown",
            "the file's name does not tell its format",
            where=content.name,
            hint="set `format: csv`, `jsonl` or `parquet` on the source",
        )
    return found


def _sha256(file: SourceFile) -> str:
    with Content(file.name, file.path) as content:
        content.skip(1 << 62)
        return content.sha256
