"""Tables that pyiceberg writes into a folder, and snapshots that it cannot write yet: deletes and compactions."""

from __future__ import annotations

import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.table.update import AddSnapshotUpdate, SetSnapshotRefUpdate
from pyiceberg.typedef import Record
from pyiceberg.types import LongType, NestedField, StringType

from drivetrain.connect.place import Place
from drivetrain.core.sources.lakes import IcebergSource
from drivetrain.ingest.reading import Batch, open_reader

WORDS = Schema(NestedField(1, "id", LongType()), NestedField(2, "word", StringType()))
PATHS = pa.schema(
    [
        pa.field("file_path", pa.string(), metadata={"PARQUET:field_id": "2147483546"}),
        pa.field("pos", pa.int64(), metadata={"PARQUET:field_id": "2147483545"}),
    ]
)


def words(*ids):
    return pa.table({"id": pa.array(ids, pa.int64()), "word": pa.array([f"w{number}" for number in ids], pa.string())})


def source(**options):
    return IcebergSource(kind="iceberg", **{"path": "lake/sales/words", **options})


class DeleteManifest(ManifestWriterV2):
    """What pyiceberg has no writer for."""

    def content(self):
        return ManifestContent.DELETES

    @property
    def _meta(self):
        return {**super()._meta, "content": "deletes"}


class Lake:
    """Tables in the folder `lake`, by a catalog in SQLite."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "lake").mkdir()
        self.catalog = SqlCatalog("default", uri=f"sqlite:///{home}/lake/catalog.db", warehouse=f"file://{home}/lake")
        self.catalog.create_namespace("sales")

    def make(self, schema: Schema = WORDS, spec: PartitionSpec = UNPARTITIONED_PARTITION_SPEC, **properties) -> Table:
        return self.catalog.create_table(
            "sales.words", schema, location=f"file://{self.home}/lake/sales/words", partition_spec=spec,
            properties={"format-version": "2", **properties},
        )  # fmt: skip

    @property
    def table(self) -> Table:
        return self.catalog.load_table("sales.words")

    def close(self) -> None:
        self.catalog.engine.dispose()

    def data_files(self) -> list[DataFile]:
        return [task.file for task in self.table.scan().plan_files()]

    def compact(self) -> None:
        """All rows into one file: a snapshot that replaces files."""
        table = self.table
        path = self.home / "lake/sales/words/data" / f"{uuid.uuid4()}.parquet"
        rows = table.scan().to_arrow()
        pq.write_table(_with_ids(rows, table.schema()), path)
        old = [
            entry
            for manifest in table.current_snapshot().manifests(table.io)
            for entry in manifest.fetch_manifest_entry(table.io)
        ]
        gone = [(ManifestEntryStatus.DELETED, entry.data_file) for entry in old]
        files = [*gone, (ManifestEntryStatus.ADDED, data_file(path, rows.num_rows))]
        self._commit(ManifestWriterV2, files, Operation.REPLACE, keep=False)

    def delete_at(self, file: DataFile, *places: int, partition: Record | None = None) -> None:
        """A snapshot with a file that deletes rows by their place."""
        rows = pa.table({"file_path": [file.file_path] * len(places), "pos": list(places)}, schema=PATHS)
        self._delete(rows, DataFileContent.POSITION_DELETES, partition or Record())

    def delete_equal(self, rows: pa.Table, ids: list[int], partition: Record | None = None) -> None:
        """A snapshot with a file that deletes rows by their values."""
        fields = [
            field.with_metadata({"PARQUET:field_id": str(number)})
            for field, number in zip(rows.schema, ids, strict=True)
        ]
        self._delete(rows.cast(pa.schema(fields)), DataFileContent.EQUALITY_DELETES, partition or Record(), ids)

    def _delete(
        self, rows: pa.Table, content: DataFileContent, partition: Record, ids: list[int] | None = None
    ) -> None:
        path = self.home / "lake/sales/words/data" / f"{uuid.uuid4()}-deletes.parquet"
        pq.write_table(rows, path)
        self.add_delete_file(data_file(path, rows.num_rows, content=content, partition=partition, equality_ids=ids))

    def add_delete_file(self, file: DataFile) -> None:
        """A snapshot that adds a delete file."""
        self._commit(DeleteManifest, [(ManifestEntryStatus.ADDED, file)], Operation.DELETE, keep=True)

    def _commit(self, kind: type[ManifestWriterV2], files, operation: Operation, *, keep: bool) -> None:
        table = self.table
        metadata, before = table.metadata, table.current_snapshot()
        number, sequence = metadata.new_snapshot_id(), metadata.next_sequence_number()
        new = f"{metadata.location}/metadata/{uuid.uuid4()}"
        with kind(table.spec(), table.schema(), table.io.new_output(f"{new}-m0.avro"), number, "gzip") as writer:
            for status, file in files:
                file.spec_id = metadata.default_spec_id
                told = {} if status == ManifestEntryStatus.ADDED else {"sequence_number": 1, "file_sequence_number": 1}
                writer.add_entry(ManifestEntry.from_args(status=status, snapshot_id=number, data_file=file, **told))
        manifests = [*(before.manifests(table.io) if keep else ()), writer.to_manifest_file()]
        output = table.io.new_output(f"{new}-snap.avro")
        with write_manifest_list(2, output, number, before.snapshot_id, sequence, "gzip") as listing:
            listing.add_manifests(manifests)
        snapshot = Snapshot(
            snapshot_id=number, parent_snapshot_id=before.snapshot_id, sequence_number=sequence,
            manifest_list=output.location, summary=Summary(operation), schema_id=metadata.current_schema_id,
        )  # fmt: skip
        main = SetSnapshotRefUpdate(ref_name="main", type="branch", snapshot_id=number)
        self.catalog.commit_table(table, (), (AddSnapshotUpdate(snapshot=snapshot), main))


def data_file(path: Path, rows: int, **more) -> DataFile:
    fields = {
        "content": DataFileContent.DATA, "file_path": f"file://{path}", "file_format": FileFormat.PARQUET,
        "partition": Record(), "record_count": rows, "file_size_in_bytes": path.stat().st_size, **more,
    }  # fmt: skip
    file = DataFile.from_args(_table_format_version=2, **fields)
    file.spec_id = 0
    return file


def _with_ids(rows: pa.Table, schema: Schema) -> pa.Table:
    fields = [
        field.with_metadata({"PARQUET:field_id": str(schema.find_field(field.name).field_id)}) for field in rows.schema
    ]
    return rows.cast(pa.schema(fields))


@pytest.fixture
def lake(tmp_path):
    """A table of one snapshot of three rows."""
    lake = Lake(tmp_path)
    lake.make().append(words(1, 2, 3))
    yield lake
    lake.close()


def take(home, spec, cursor="", secrets=None):
    """The ids, what they do, and the cursor behind them."""
    ids, changes = [], set()
    place = Place(home, home / "cache", secrets) if secrets else Place(home, home / "cache")
    for item in open_reader(spec, place).read(cursor):
        if isinstance(item, Batch):
            ids += [int(value) for value in item.rows["id"].to_pylist()]
            changes.add(item.change)
        else:
            cursor = item.cursor
    return ids, (changes.pop() if changes else None), cursor
