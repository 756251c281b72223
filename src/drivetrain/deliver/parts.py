"""The parts of an input, files of text or Parquet: which columns they have, and their rows from any row on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.core.sources.written import Written
from drivetrain.store.files.batches import Batch
from drivetrain.store.files.delimited import read_layout
from drivetrain.store.files.formats import open_content, read_rows
from drivetrain.store.files.listing import SourceFile, describe

_WRITTEN = Written()
_ROWS = 65_536
_BUFFER = 1024 * 1024


@dataclass(frozen=True)
class Columns:
    """The columns of a part. ``optional``: one that is absent may only be missing in the first rows (JSON lines)."""

    types: pa.Schema
    optional: bool = False


class Part(Protocol):
    """A piece of an input that is read in one go; ``size`` is in bytes, ``digest`` tells its content."""

    @property
    def name(self) -> str:
        """What it is called in messages and in the output."""
        ...

    @property
    def size(self) -> int:
        """Its size at rest, in bytes."""
        ...

    @property
    def digest(self) -> str:
        """The same for the same content."""
        ...

    def columns(self) -> Columns:
        """Its columns. Raises InvalidInput when it cannot be read."""
        ...

    def read(self, names: Sequence[str], after: int) -> Iterator[Batch]:
        """The rows after row number ``after``, in order: at least the columns ``names``, of those that there are.

        Memory does not grow with the part. Raises InvalidInput for what cannot be read, Transient when it changes.
        """
        ...


@dataclass(frozen=True)
class TextPart:
    """A file of any format, plain or compressed, whose values are read as text."""

    file: SourceFile
    digest: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.file.name

    @property
    def size(self) -> int:
        """The size of the file."""
        return self.file.size

    def columns(self) -> Columns:
        """The columns of the first row (CSV) or of the first batch, all of them text."""
        content, kind = open_content(self.name, self.file.path, _WRITTEN)
        with content:
            if kind == "csv":
                return Columns(_texts(read_layout(content, _WRITTEN).names))
        first = next(self._batches(), None)
        return Columns(_texts(first.rows.column_names if first else ()), first is None or first.optional_fields)

    def read(self, names: Sequence[str], after: int) -> Iterator[Batch]:
        """See Part. What lies before ``after`` is read again, and thrown away."""
        for batch in self._batches():
            left = _behind(batch, after)
            if left.rows.num_rows or left.broken:
                yield left
        _check_unchanged(self.file)

    def _batches(self) -> Iterator[Batch]:
        content, kind = open_content(self.name, self.file.path, _WRITTEN)
        with content:
            yield from read_rows(content, kind, _WRITTEN)


@dataclass(frozen=True)
class ParquetPart:
    """A Parquet file, or one of a Delta table; ``constants`` are columns that a table has beside its files.

    ``file`` is there for a file that somebody could change.
    """

    name: str
    size: int
    digest: str
    open: Callable[[], pa.NativeFile]
    constants: Mapping[str, pa.Scalar] = field(default_factory=dict)
    file: SourceFile | None = None

    def columns(self) -> Columns:
        """The columns of the file and the constants."""
        with self._parquet() as parquet:
            types = parquet.schema_arrow
        for name, value in self.constants.items():
            types = types if name in types.names else types.append(pa.field(name, value.type))
        return Columns(types)

    def read(self, names: Sequence[str], after: int) -> Iterator[Batch]:
        """See Part. Row groups that lie before ``after`` are passed over."""
        with self._parquet() as parquet:
            there = [name for name in names if name in parquet.schema_arrow.names]
            groups, passed = _groups_behind(parquet, after)
            for batch in parquet.iter_batches(_ROWS, row_groups=groups, columns=there, use_threads=False):
                rows = pa.Table.from_batches([batch])
                for name in names:
                    if name in self.constants and name not in there:
                        rows = rows.append_column(name, pa.repeat(self.constants[name], len(batch)))
                numbers = pa.array(np.arange(passed + 1, passed + 1 + len(batch)))
                passed += len(batch)
                done = self.size * passed // parquet.metadata.num_rows
                yield _behind(Batch(self.name, rows, numbers, done=done), after)
        if self.file is not None:
            _check_unchanged(self.file)

    @contextmanager
    def _parquet(self) -> Iterator[pq.ParquetFile]:
        try:
            with self.open() as file, pq.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False) as parquet:
                yield parquet
        except (pa.ArrowException, OSError) as error:
            raise InvalidInput(
                "parquet_invalid",
                f"this cannot be read as Parquet ({str(error).splitlines()[0]})",
                where=self.name,
                hint="fetch or write the file again; what was scored before stands, the same command goes on",
            ) from error


def file_part(file: SourceFile, digest: str) -> Part:
    """The part that a file is, by its first bytes, then by its name. Raises InvalidInput when neither tells."""
    content, kind = open_content(file.name, file.path, _WRITTEN)
    with content:
        if kind == "parquet" and not content.compressed:
            return ParquetPart(file.name, file.size, digest, lambda: pa.OSFile(str(file.path)), file=file)
    return TextPart(file, digest)


def _texts(names: Sequence[str]) -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in names])


def _groups_behind(parquet: pq.ParquetFile, after: int) -> tuple[list[int], int]:
    """The row groups that hold rows after ``after``, and how many rows lie before the first of them."""
    passed = 0
    for group in range(parquet.num_row_groups):
        rows = parquet.metadata.row_group(group).num_rows
        if passed + rows > after:
            return list(range(group, parquet.num_row_groups)), passed
        passed += rows
    return [], passed


def _behind(batch: Batch, after: int) -> Batch:
    if not after:
        return batch
    start = int(np.searchsorted(batch.numbers.to_numpy(), after, side="right"))
    broken = tuple(row for row in batch.broken if row.number > after)
    return replace(batch, rows=batch.rows.slice(start), numbers=batch.numbers.slice(start), broken=broken)


def _check_unchanged(file: SourceFile) -> None:
    now = describe(file.name, file.path)
    if (now.size, now.mtime_ns) != (file.size, file.mtime_ns):
        raise Transient(
            "file_changing",
            "the file changed while it was read",
            where=file.name,
            hint="let nobody write to it, then score it from the start: --again",
        )
