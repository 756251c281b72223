"""One snapshot of somebody's Iceberg table: its data files, what came since another one, and the rows of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import ArrowAccessor, ArrowProjectionVisitor, pyarrow_to_schema, schema_to_pyarrow
from pyiceberg.manifest import FileFormat, ManifestContent, ManifestEntry, ManifestEntryStatus
from pyiceberg.schema import Schema, visit_with_partner
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.snapshots import Operation, Snapshot
from pyiceberg.transforms import IdentityTransform

from drivetrain.connect.place import Place
from drivetrain.core.errors import NotFound, Refused, examples
from drivetrain.core.sources.lakes import IcebergSource
from drivetrain.ingest.iceberg.deletes import Deletes, LiveFile
from drivetrain.ingest.iceberg.files import IcebergFiles
from drivetrain.ingest.iceberg.finding import find_table
from drivetrain.ingest.lake_reading import Rows, batches_of
from drivetrain.store.files.delimited import check_names

_EMPTY = -1
"""The version of a table that nothing was written to yet."""


def open_table(spec: IcebergSource, place: Place) -> IcebergTable:
    """The snapshot that the source means. Raises NotFound, Forbidden, Refused, InvalidInput or Transient."""
    metadata, files = find_table(spec, place)
    snapshot, is_past = _chosen(spec, metadata, files.where)
    schema = metadata.schema()
    if is_past and snapshot is not None and snapshot.schema_id is not None:
        schema = next(one for one in metadata.schemas if one.schema_id == snapshot.schema_id)
    return IcebergTable(metadata, snapshot, schema, files)


class IcebergTable:
    """One snapshot of a table. Everything raises NotFound, Forbidden, Refused, InvalidInput or Transient."""

    def __init__(self, metadata: TableMetadata, snapshot: Snapshot | None, schema: Schema, files: IcebergFiles) -> None:
        self._metadata, self._snapshot, self._columns, self._files = metadata, snapshot, schema, files

    @property
    def id(self) -> str:
        """The table's own id: another one when it was deleted and made anew."""
        return str(self._metadata.table_uuid)

    @property
    def version(self) -> int:
        """The id of the snapshot."""
        return self._snapshot.snapshot_id if self._snapshot is not None else _EMPTY

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns. Raises InvalidInput for names that no table here can have."""
        with self._files.explained():
            schema = schema_to_pyarrow(self._columns, include_field_ids=False)
        check_names(tuple(schema.names), self._files.where)
        return schema

    def files(self) -> list[LiveFile]:
        """The data files of the snapshot, in the order in which they were written."""
        return self._live

    def added_since(self, version: int) -> list[LiveFile] | str:
        """The files with the rows that came after a snapshot, in order; or why it takes more than adding files."""
        found: list[LiveFile] = []
        steps = self._steps_since(version)
        if steps is None:
            return (
                f"the snapshot {version}, which was loaded, is not among those before {self.version} any more: it "
                "expired, or the table went back to an older one"
            )
        for step in steps:
            operation = step.summary.operation if step.summary else None
            if operation is Operation.REPLACE:  # the same rows in other files
                continue
            for content in ManifestContent:
                for entry in self._entries(step, content, only_its_own=True):
                    if content is ManifestContent.DELETES or entry.status == ManifestEntryStatus.DELETED:
                        return f"the snapshot {step.snapshot_id} removes or changes rows"
                    found.append(self._live_file(entry))
        return found

    def rows(self, file: LiveFile) -> Iterator[Rows]:
        """The rows of a file in the columns of this snapshot, and which of them were not deleted."""
        if file.format != FileFormat.PARQUET:
            raise Refused(
                "iceberg_unreadable",
                f"the data file {file.path} is written as {file.format}",
                where=self._files.where,
                hint="Parquet is read: have the table rewritten in it (`write.format.default`)",
            )
        with self._files.explained():
            gone = self._deletes.of(file)
            with self._files.open(file.location) as content:
                parquet = pq.ParquetFile(content, coerce_int96_timestamp_unit="us")
                has = pyarrow_to_schema(
                    parquet.schema_arrow,
                    self._metadata.name_mapping(),
                    downcast_ns_timestamp_to_us=self._is_in_microseconds,
                    format_version=self._metadata.format_version,
                )
                in_path, first = self._in_path(file, has), 0
                for batch in batches_of(parquet):
                    columns = {field.field_id: batch.column(field.name) for field in has.fields}
                    kept = gone.kept(columns, first, batch.num_rows) if gone is not None else None
                    yield Rows(self._fit(batch, has, in_path), kept)
                    first += batch.num_rows

    def rewritten(self, found: str, hint: str) -> Refused:
        """The error for rows that were changed."""
        return Refused("iceberg_rewritten", found, where=self._files.where, hint=hint)

    @cached_property
    def _live(self) -> list[LiveFile]:
        if self._snapshot is None:
            return []
        entries = self._entries(self._snapshot, ManifestContent.DATA)
        live = [self._live_file(entry) for entry in entries if entry.status != ManifestEntryStatus.DELETED]
        return sorted(live, key=lambda file: (file.sequence, file.location))

    @cached_property
    def _deletes(self) -> Deletes:
        unpartitioned = {number for number, spec in self._metadata.specs().items() if spec.is_unpartitioned()}
        assert self._snapshot is not None
        entries = self._entries(self._snapshot, ManifestContent.DELETES)
        living = (entry for entry in entries if entry.status != ManifestEntryStatus.DELETED)
        return Deletes(living, unpartitioned, self._files)

    @property
    def _is_in_microseconds(self) -> bool:
        return self._metadata.format_version < 3

    def _steps_since(self, version: int) -> list[Snapshot] | None:
        """The snapshots after that one up to this, in order; None where it is not among those before."""
        found, at = [], self.version
        while at != version:
            snapshot = self._metadata.snapshot_by_id(at)
            if snapshot is None:
                return None
            found.append(snapshot)
            at = _EMPTY if snapshot.parent_snapshot_id is None else snapshot.parent_snapshot_id
        return found[::-1]

    def _entries(
        self, snapshot: Snapshot, content: ManifestContent, *, only_its_own: bool = False
    ) -> Iterator[ManifestEntry]:
        """What the manifests of a snapshot say of files; or only what this snapshot added and deleted."""
        with self._files.explained():
            for manifest in snapshot.manifests(self._files):
                if manifest.content != content:
                    continue
                if only_its_own and manifest.added_snapshot_id != snapshot.snapshot_id:
                    continue
                for entry in manifest.fetch_manifest_entry(self._files, discard_deleted=False):
                    is_its_own = (
                        entry.status != ManifestEntryStatus.EXISTING and entry.snapshot_id == snapshot.snapshot_id
                    )
                    if is_its_own or not only_its_own:
                        yield entry

    def _live_file(self, entry: ManifestEntry) -> LiveFile:
        file = entry.data_file
        return LiveFile(
            file.file_path.removeprefix(self._metadata.location.rstrip("/") + "/"),
            file.file_size_in_bytes,
            file.file_path,
            entry.sequence_number or 0,
            file.spec_id,
            file.partition,
            file.file_format,
        )

    def _in_path(self, file: LiveFile, has: Schema) -> Mapping[int, object]:
        """The values of columns that a file does not hold because they are the same in all of its rows, by id."""
        spec = self._metadata.specs()[file.spec_id]
        return {
            field.source_id: file.partition[place]
            for place, field in enumerate(spec.fields)
            if isinstance(field.transform, IdentityTransform) and field.source_id not in has.field_ids
        }

    def _fit(self, batch: pa.RecordBatch, has: Schema, in_path: Mapping[int, object]) -> pa.RecordBatch:
        """The rows under the names and in the types of this snapshot: columns are the same by their ids."""
        visitor = ArrowProjectionVisitor(
            has, self._is_in_microseconds, projected_missing_fields=dict(in_path), allow_timestamp_tz_mismatch=True
        )
        fitted = visit_with_partner(self._columns, batch, visitor, ArrowAccessor(has))
        return pa.RecordBatch.from_struct_array(fitted)


def _chosen(spec: IcebergSource, metadata: TableMetadata, where: str) -> tuple[Snapshot | None, bool]:
    """The snapshot that the source means (None: nothing was written yet), and whether it is one of the past."""
    if spec.snapshot is not None:
        return _required(metadata, spec.snapshot, f"there is no snapshot {spec.snapshot}", where), True
    if spec.as_of is not None:
        moment = spec.as_of.timestamp() * 1000
        before = [entry.snapshot_id for entry in metadata.snapshot_log if entry.timestamp_ms <= moment]
        said = f"there is no snapshot as of {spec.as_of.isoformat()}"
        return _required(metadata, before[-1] if before else _EMPTY, said, where), True
    ref = metadata.refs.get(spec.branch)
    if ref is None and spec.branch == "main":
        return None, False
    if ref is None:
        known = f"there are: {examples(metadata.refs, 20)}"
        raise NotFound("iceberg_snapshot_unknown", f"there is no branch {spec.branch!r}", where=where, hint=known)
    return metadata.snapshot_by_id(ref.snapshot_id), ref.snapshot_ref_type == SnapshotRefType.TAG


def _required(metadata: TableMetadata, number: int, said: str, where: str) -> Snapshot:
    snapshot = metadata.snapshot_by_id(number)
    if snapshot is None:
        known = (
            f"{one.snapshot_id} of {datetime.fromtimestamp(one.timestamp_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
            for one in reversed(metadata.snapshots)
        )
        hint = f"it expired, or never was; there are: {examples(known)}"
        raise NotFound("iceberg_snapshot_unknown", said, where=where, hint=hint)
    return snapshot
