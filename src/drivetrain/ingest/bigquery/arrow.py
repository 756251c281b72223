"""The rows of a table as Arrow, by BigQuery's Storage Read API (gRPC)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlsplit

import grpc
import pyarrow as pa
from google.api_core import exceptions
from google.cloud.bigquery_storage_v1 import types
from google.cloud.bigquery_storage_v1.services.big_query_read import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

from drivetrain.connect.google_login import GoogleLogin
from drivetrain.connect.retrying import retrying
from drivetrain.core.errors import DrivetrainError, Forbidden, NotFound, Refused, Transient
from drivetrain.core.sources.warehouses import BigQuerySource
from drivetrain.ingest.bigquery.jobs import TableName

T = TypeVar("T")
_SECONDS = 300.0  # how long one answer may take; a stream is many
_LARGEST = 128 * 1024 * 1024
_NOT_HERE = (
    *(exceptions.PermissionDenied, exceptions.MethodNotImplemented, exceptions.InvalidArgument),
    *(exceptions.FailedPrecondition, exceptions.NotFound),  # a view, or a result that is too small for a table
)
_BREAKS = 5
"""Streams that may break one after the other without a row."""


class NotAllowed(Exception):
    """The Storage Read API does not give this table to us."""


@dataclass(frozen=True)
class Wanted:
    """Rows of a table: under a condition, of some columns (none: all), as of a moment."""

    table: TableName
    condition: str = ""
    columns: tuple[str, ...] = ()
    as_of: datetime | None = None


class ArrowRows:
    """Reads tables. Raises Forbidden, NotFound, Refused; Transient when nobody answers for ``retry_seconds``."""

    def __init__(self, spec: BigQuerySource, login: GoogleLogin, where: str) -> None:
        self._spec, self._login, self._where = spec, login, where
        parts = urlsplit(spec.storage_endpoint)
        options = [("grpc.max_receive_message_length", _LARGEST)]
        if parts.scheme == "https":
            place = f"{parts.hostname}:{parts.port or 443}"
            self._channel = grpc.secure_channel(place, grpc.ssl_channel_credentials(), options)
        else:
            self._channel = grpc.insecure_channel(parts.netloc, options)
        self._client = BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=self._channel))

    def read(self, wanted: Wanted) -> Iterator[pa.Table]:
        """The rows, in the order of the table. Raises NotAllowed before the first one."""
        try:
            session = self._session(wanted)
            if not session.streams:
                return
            schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
            yield from self._stream(session.streams[0].name, schema)
        finally:
            self._channel.close()

    def _session(self, wanted: Wanted) -> types.ReadSession:
        table = wanted.table
        session = types.ReadSession(
            table=f"projects/{table.project_id}/datasets/{table.dataset_id}/tables/{table.table_id}",
            data_format=types.DataFormat.ARROW,
            read_options={"row_restriction": wanted.condition, "selected_fields": list(wanted.columns)},
            table_modifiers={"snapshot_time": wanted.as_of} if wanted.as_of is not None else None,
        )

        def ask(metadata: list[tuple[str, str]]) -> types.ReadSession:
            return self._client.create_read_session(
                parent=f"projects/{self._spec.project}",
                read_session=session,
                max_stream_count=1,  # more would give the rows in no order
                metadata=metadata,
                timeout=_SECONDS,
                retry=None,
            )

        try:
            return retrying(lambda: self._asked(ask), self._spec.retry_seconds)
        except _NOT_HERE as error:
            raise NotAllowed(str(error.message)) from None

    def _stream(self, name: str, schema: pa.Schema) -> Iterator[pa.Table]:
        """The rows of a stream; where it breaks it goes on after the last row that came."""
        passed = breaks = 0
        while True:
            start = passed

            def ask(metadata: list[tuple[str, str]], start: int = start) -> Iterator[types.ReadRowsResponse]:
                return iter(
                    self._client.read_rows(read_stream=name, offset=start, metadata=metadata, timeout=None, retry=None)
                )

            try:
                for answer in retrying(lambda ask=ask: self._asked(ask), self._spec.retry_seconds):  # type: ignore[misc]  # mypy cannot infer a lambda's default
                    content = pa.py_buffer(answer.arrow_record_batch.serialized_record_batch)
                    batch = pa.ipc.read_record_batch(content, schema)
                    passed, breaks = passed + batch.num_rows, 0
                    yield pa.Table.from_batches([batch])
                return
            except exceptions.GoogleAPICallError as error:
                breaks += 1
                fault = self._meaning(error)
                if breaks > _BREAKS or not isinstance(fault, Transient | Forbidden):
                    raise fault from None
                self._login.forget()

    def _asked(self, ask: Callable[[list[tuple[str, str]]], T]) -> T:
        try:
            return ask(self._metadata())
        except exceptions.Unauthenticated:
            self._login.forget()
        except _NOT_HERE:
            raise
        except exceptions.GoogleAPICallError as error:
            raise self._meaning(error) from None
        try:
            return ask(self._metadata())
        except exceptions.GoogleAPICallError as error:
            raise self._meaning(error) from None

    def _metadata(self) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {self._login.token()}")]

    def _meaning(self, error: exceptions.GoogleAPICallError) -> DrivetrainError:
        said, where = " ".join(str(error.message).split())[:300], self._where
        if isinstance(error, exceptions.Unauthenticated | exceptions.PermissionDenied):
            hint = "renew what `service_account` or `token` refers to; the role BigQuery Read Session User"
            return Forbidden("bigquery_forbidden", said, where=where, hint=hint)
        if isinstance(error, exceptions.NotFound):
            return NotFound("bigquery_unknown", said, where=where, hint="the result is kept for a day: run it again")
        if isinstance(error, exceptions.FailedPrecondition | exceptions.InvalidArgument | exceptions.OutOfRange):
            return Refused("bigquery_unreadable", said, where=where, hint="read it with `read_by: rest`")
        hint = "is `storage_endpoint` right? run the same command again later"
        return Transient("bigquery_unavailable", said, where=where, hint=hint)
