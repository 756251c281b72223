"""Jobs of BigQuery by its REST interface (v2): what a query costs, running it, its rows as JSON."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec

from drivetrain.connect.google_login import GoogleLogin
from drivetrain.connect.place import Place
from drivetrain.connect.retrying import retrying
from drivetrain.connect.web_auth import Discreet
from drivetrain.connect.web_call import Answer, Call, Caller, Limits
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.core.sources.warehouses import BigQuerySource
from drivetrain.ingest.bigquery.faults import Said, of_answer, of_reason

T = TypeVar("T")
SCOPE = "https://www.googleapis.com/auth/bigquery"
_PAGE_ROWS, _WAIT_SECONDS, _TWICE = 10_000, 10, 409


class Field(msgspec.Struct):
    """A column of a result."""

    name: str
    type: str
    mode: str = "NULLABLE"
    fields: list[Field] = []


class Schema(msgspec.Struct):
    """The columns of a result."""

    fields: list[Field] = []


class _Statistics(msgspec.Struct, rename="camel"):
    total_bytes_processed: int | str = 0
    schema: Schema | None = None


class _JobStatistics(msgspec.Struct):
    query: _Statistics = msgspec.field(default_factory=_Statistics)


class _Status(msgspec.Struct, rename="camel"):
    state: str = ""
    error_result: Said | None = None


class TableName(msgspec.Struct, rename="camel", frozen=True):
    """A table."""

    project_id: str
    dataset_id: str
    table_id: str


class _Query(msgspec.Struct, rename="camel"):
    destination_table: TableName | None = None


class _Configuration(msgspec.Struct):
    query: _Query = msgspec.field(default_factory=_Query)


class _Reference(msgspec.Struct, rename="camel"):
    job_id: str = ""
    location: str | None = None


class _Job(msgspec.Struct, rename="camel"):
    job_reference: _Reference = msgspec.field(default_factory=_Reference)
    configuration: _Configuration = msgspec.field(default_factory=_Configuration)
    status: _Status = msgspec.field(default_factory=_Status)
    statistics: _JobStatistics = msgspec.field(default_factory=_JobStatistics)


class Cell(msgspec.Struct):
    """A value: text, a list of cells, or a record."""

    v: msgspec.Raw = msgspec.Raw(b"null")


class Row(msgspec.Struct):
    """A row or a record."""

    f: list[Cell]


class _Results(msgspec.Struct, rename="camel"):
    job_complete: bool = False
    schema: Schema | None = None
    rows: list[Row] = []
    page_token: str | None = None
    total_rows: int | str = 0


class _TableInfo(msgspec.Struct, rename="camel"):
    num_rows: int | str = 0


@dataclass(frozen=True)
class Estimate:
    """What a query would read, in bytes, and the columns that it gives."""

    size: int
    schema: Schema


@dataclass(frozen=True)
class Result:
    """A query that has run: its id, where it ran, and the table that holds its rows for a day."""

    job: str
    location: str | None
    table: TableName | None


class Jobs:
    """BigQuery as one source uses it. Everything raises NotFound, Forbidden, Refused, InvalidInput or Transient."""

    def __init__(self, spec: BigQuerySource, place: Place) -> None:
        self._spec, self._known = spec, Discreet(place.secrets)
        self._caller = Caller(Limits())
        self.login = GoogleLogin(spec.service_account, spec.token, SCOPE, self._known, self._caller)
        self.where = f"bigquery {spec.table or 'query'}"

    def estimate(self, sql: str) -> Estimate:
        """What the query would read; nothing runs, nothing is billed."""
        job = self._ask("jobs", _Job, body={"configuration": {**self._configuration(sql), "dryRun": True}})
        if job.status.error_result is not None:
            raise of_reason(job.status.error_result, self.where)
        statistics = job.statistics.query
        return Estimate(int(statistics.total_bytes_processed), statistics.schema or Schema())

    def run(self, sql: str) -> Result:
        """Run the query and wait for its end. Started twice, it runs once: it has an id of our own."""
        name, over = f"drivetrain_{uuid.uuid4().hex}", monotonic() + self._spec.timeout_seconds
        reference = {"projectId": self._spec.project, "jobId": name}
        reference |= {"location": self._spec.location} if self._spec.location else {}
        body = {"jobReference": reference, "configuration": self._configuration(sql)}
        job = self._ask("jobs", _Job, body=body, name=name)
        location = job.job_reference.location or self._spec.location
        while job.status.state != "DONE":
            if monotonic() > over:
                hint = "raise `timeout_seconds`, or read less at a time"
                raise Transient("bigquery_unavailable", "the query takes too long", where=self.where, hint=hint)
            waiting = {"maxResults": "0", "timeoutMs": str(_WAIT_SECONDS * 1000), "location": location}
            self._ask(f"queries/{name}", _Results, waiting)
            job = self._ask(f"jobs/{name}", _Job, {"location": location})
        if job.status.error_result is not None:
            raise of_reason(job.status.error_result, self.where)
        return Result(name, location, job.configuration.query.destination_table)

    def rows(self, result: Result) -> Iterator[tuple[Schema, list[Row]]]:
        """The rows of a result, a page at a time."""
        token: str | None = ""
        while token is not None:
            asked = {
                "maxResults": str(_PAGE_ROWS),
                "formatOptions.useInt64Timestamp": "true",
                "location": result.location,
                "pageToken": token or None,
            }
            page = self._ask(f"queries/{result.job}", _Results, asked)
            yield page.schema or Schema(), page.rows
            token = page.page_token

    def count(self, table: str) -> int:
        """How many rows a table has."""
        project, dataset, name = parts_of(table)
        path = f"datasets/{quote(dataset, safe='')}/tables/{quote(name, safe='')}"
        return int(self._ask(path, _TableInfo, project=project or None).num_rows)

    def _configuration(self, sql: str) -> dict[str, object]:
        billed = str(int(self._spec.max_gb * 10**9))
        return {"query": {"query": sql, "useLegacySql": False, "maximumBytesBilled": billed}}

    def _ask(
        self,
        path: str,
        kind: type[T],
        query: Mapping[str, str | None] | None = None,
        *,
        body: object = None,
        name: str = "",
        project: str | None = None,
    ) -> T:
        root = f"{self._spec.endpoint}/bigquery/v2/projects/{quote(project or self._spec.project, safe=':')}"
        given = {key: value for key, value in (query or {}).items() if value is not None}
        url = f"{root}/{path}" + (f"?{urlencode(given)}" if given else "")
        content = None if body is None else msgspec.json.encode(body)

        def attempt() -> Answer:
            answer = self._send(url, content)
            if answer.status == _TWICE and name:  # it was started, and the answer was lost
                answer = self._send(f"{root}/jobs/{name}", None)
            if not 200 <= answer.status < 300:
                raise of_answer(answer, self._known, self.where)
            return answer

        answer = retrying(attempt, self._spec.retry_seconds)
        try:
            return read_json(answer.body, kind)
        except msgspec.DecodeError as error:
            said, hint = f"the answer is none of BigQuery: {error}", "correct `endpoint`"
            raise InvalidInput("bigquery_invalid", said, where=self.where, hint=hint) from None

    def _send(self, url: str, content: bytes | None) -> Answer:
        for _ in range(2):
            headers = {"Authorization": f"Bearer {self.login.token()}", "Content-Type": "application/json"}
            answer = self._caller.send(Call(url, headers, "GET" if content is None else "POST", content))
            if answer.status != 401:
                break
            self.login.forget()
        return answer


def parts_of(table: str) -> tuple[str, str, str]:
    """Project (empty where it is not named), data set and table; a project may have dots (`example.com:sales`)."""
    rest, _, name = table.rpartition(".")
    project, _, dataset = rest.rpartition(".")
    return project, dataset, name
