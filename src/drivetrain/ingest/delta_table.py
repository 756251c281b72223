"""A version of somebody's Delta table: its files, what commits did, and the rows of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from urllib.parse import unquote

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import PyFileSystem

from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, NotFound, Refused, Transient
from drivetrain.ingest.lake_reading import Rows, batches_of
from drivetrain.ingest.lake_words import may_pass, said_by, says_no
from drivetrain.store.files.delimited import check_names

T = TypeVar("T")
_BEYOND_FILES = frozenset({"deletionVectors", "columnMapping"})


@dataclass(frozen=True)
class DataFile:
    """A file of the table: its path below the table, its size, and the columns that stand in its path only.

    With an empty path it is all files together.
    """

    path: str
    size: int
    partition: Mapping[str, pa.Scalar]


class _Add(msgspec.Struct, rename="camel"):
    path: str
    size: int
    data_change: bool
    partition_values: dict[str, str | None] = {}
    deletion_vector: msgspec.Raw | None = None


class _Remove(msgspec.Struct, rename="camel"):
    data_change: bool = True


class _Action(msgspec.Struct):
    add: _Add | None = None
    remove: _Remove | None = None


_decode = msgspec.json.Decoder(_Action).decode


class LakeTable:
    """One version of a Delta table. Everything raises NotFound, Forbidden, Refused, InvalidInput or Transient."""

    def __init__(self, uri: str, where: str, options: Mapping[str, str], version: int | None) -> None:
        self._uri, self._where, self._options = uri, where, dict(options)
        self._table = self._told(lambda: DeltaTable(uri, version, self._options))

    @property
    def version(self) -> int:
        """The version that this is."""
        return self._table.version()

    @property
    def id(self) -> str:
        """The table's own id: another one when it was deleted and made anew."""
        return str(self._table.metadata().id)

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of this version. Raises InvalidInput for names that no table here can have."""
        schema = pa.schema(self._table.schema().to_arrow())
        check_names(tuple(schema.names), self._where)
        return schema

    def files(self) -> list[DataFile]:
        """The files of this version, in the order in which they were written; one that is all where rows are masked."""
        actions = self._told(lambda: pa.table(self._table.get_add_actions(flatten=True)))
        if not self._is_files:
            return [DataFile("", sum(actions["size_bytes"].to_pylist()), {})]
        rows = sorted(actions.to_pylist(), key=lambda row: (row["modification_time"], row["path"]))
        names = [name for name in actions.column_names if name.startswith("partition.")]
        return [
            DataFile(
                unquote(row["path"]),
                row["size_bytes"],
                {name[10:]: pa.scalar(row[name], self.schema.field(name[10:]).type) for name in names},
            )
            for row in rows
        ]

    def added_since(self, version: int) -> list[DataFile] | str:
        """The files with the rows that came after ``version``, in order; or why it takes more than adding files."""
        if version > self.version:
            return f"version {version} was loaded before, and {self.version} is older"
        if not self._is_files:
            return "it has deletion vectors or mapped columns, which only a whole reading resolves"
        found: list[DataFile] = []
        for number in range(version + 1, self.version + 1):
            content = self._commit(number)
            if content is None:
                return f"the log of version {number} is no longer there"
            for line in filter(None, content.split(b"\n")):
                action = _decode(line)
                if action.remove is not None and action.remove.data_change:
                    return f"version {number} removes or changes rows"
                if action.add is not None and action.add.data_change:
                    if action.add.deletion_vector is not None:
                        return f"version {number} removes rows"
                    found.append(self._data_file(action.add))
        return found

    def rows(self, file: DataFile) -> Iterator[Rows]:
        """The rows of a file, in the columns of this version; of all files in no order that is promised.

        Without those that deletion vectors mask. Raises NotFound when the file is gone.
        """
        yield from map(Rows, self._content(file) if file.path else self._scan())

    def rewritten(self, found: str, hint: str) -> Refused:
        """The error for rows that were changed."""
        return Refused("delta_rewritten", found, where=self._where, hint=hint)

    @property
    def _is_files(self) -> bool:
        """Whether its rows are those of its files, no fewer and under the same names."""
        return _BEYOND_FILES.isdisjoint(self._table.protocol().reader_features or ())

    def _content(self, file: DataFile) -> Iterator[pa.RecordBatch]:
        with self._told(lambda: self._storage.open_input_file(file.path)) as content:
            parquet = self._told(lambda: pq.ParquetFile(content, coerce_int96_timestamp_unit="us"))
            batches = batches_of(parquet)
            while (batch := self._told(lambda: next(batches, None))) is not None:
                yield self._told(lambda batch=batch: self._fit(batch, file.partition))  # type: ignore[misc]  # mypy cannot infer a lambda's default

    def _scan(self) -> Iterator[pa.RecordBatch]:
        batches = iter(self._told(self._table.scan))
        while (batch := self._told(lambda: next(batches, None))) is not None:
            yield pa.record_batch(batch).cast(self.schema)

    @cached_property
    def _storage(self) -> PyFileSystem:
        return PyFileSystem(DeltaStorageHandler(self._uri, self._options))

    def _commit(self, number: int) -> bytes | None:
        try:
            content: bytes = self._told(lambda: self._storage.open_input_file(f"_delta_log/{number:020d}.json").read())
        except NotFound:
            return None
        return content

    def _data_file(self, add: _Add) -> DataFile:
        partition = {name: _scalar(text, self.schema.field(name).type) for name, text in add.partition_values.items()}
        return DataFile(unquote(add.path), add.size, partition)

    def _fit(self, batch: pa.RecordBatch, partition: Mapping[str, pa.Scalar]) -> pa.RecordBatch:
        """The rows in this version's columns and types: files are older than columns that came later."""
        columns = []
        for field in self.schema:
            if field.name in partition:
                columns.append(pa.repeat(partition[field.name], batch.num_rows))
            elif field.name in batch.schema.names:
                columns.append(batch.column(field.name).cast(field.type))
            else:
                columns.append(pa.nulls(batch.num_rows, field.type))
        return pa.record_batch(columns, names=self.schema.names)

    def _told(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except (DeltaError, OSError, pa.ArrowException) as error:
            raise self._explain(error) from None

    def _explain(self, error: Exception) -> DrivetrainError:
        said = said_by(error)
        if isinstance(error, FileNotFoundError):
            hint = "its files were vacuumed: choose a `version` that is still whole, or keep them longer there"
            return NotFound("delta_vacuumed", "a file of this version is gone", where=self._where, hint=hint)
        if isinstance(error, TableNotFoundError):
            return NotFound("delta_unknown", "there is no Delta table", where=self._where, hint="correct `path`")
        if says_no(said):
            hint = "correct the credentials that `storage` names, or what they may read"
            return Forbidden("delta_forbidden", f"the store does not allow it: {said}", where=self._where, hint=hint)
        if may_pass(error):
            hint = "see whether the store answers and `storage` is right, then run the same command again"
            return Transient("delta_unreachable", f"the store does not answer: {said}", where=self._where, hint=hint)
        if isinstance(error, DeltaError):
            hint = "choose a `version` that there is; or a table that delta-rs can read"
            return Refused("delta_unreadable", f"this version cannot be read: {said}", where=self._where, hint=hint)
        hint = "have the file written again; `drivetrain` reads Parquet as delta-rs and Spark write it"
        return InvalidInput("delta_damaged", f"a file cannot be read: {said}", where=self._where, hint=hint)


def _scalar(text: str | None, kind: pa.DataType) -> pa.Scalar:
    """The value of a column that stands in the path: text, which is empty where there is none; times are UTC."""
    if not text:
        return pa.scalar(None, kind)
    is_local = pa.types.is_timestamp(kind) and kind.tz and not text.endswith("Z")
    return pa.scalar(f"{text}Z" if is_local else text).cast(kind)
