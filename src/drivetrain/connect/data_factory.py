"""Pipelines of Azure Data Factory by its REST API (2018-06-01): start a run, find runs, and see how one goes.

https://learn.microsoft.com/rest/api/datafactory/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeVar
from urllib.parse import quote

import msgspec

from drivetrain.connect.place import Place
from drivetrain.connect.retrying import retrying
from drivetrain.connect.web_auth import Discreet, Signer, refusal
from drivetrain.connect.web_call import Answer, Call, Caller, Limits
from drivetrain.core.connections import OAuth2
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import DrivetrainError, InvalidInput, NotFound
from drivetrain.core.sources.pipelines import AdfSource, PipelineValue

T = TypeVar("T")
_KEPT = timedelta(days=45)  # that a factory remembers its runs
_SKEW = timedelta(minutes=5)  # between its clock and ours
Status = Literal["Queued", "InProgress", "Succeeded", "Failed", "Canceling", "Cancelled"]
_encode = msgspec.json.encode


class InvokedBy(msgspec.Struct, frozen=True, rename="camel"):
    """What began a run."""

    invoked_by_type: str = ""


class Run(msgspec.Struct, frozen=True, rename="camel"):
    """A run of a pipeline."""

    run_id: str
    status: str
    message: str = ""
    parameters: dict[str, str] | None = None
    run_start: datetime | None = None
    invoked_by: InvokedBy = InvokedBy()


class _Runs(msgspec.Struct, frozen=True):
    value: list[Run]


class _Started(msgspec.Struct, frozen=True, rename="camel"):
    run_id: str


class _Pipeline(msgspec.Struct, frozen=True):
    name: str = ""


class Factory:
    """The factory of a source, and its pipeline.

    Every method raises Forbidden, InvalidInput, NotFound, and Transient when the service does not answer in time.
    """

    def __init__(self, spec: AdfSource, place: Place) -> None:
        self._spec = spec
        self._known = Discreet(place.secrets)
        caller = Caller(Limits())
        auth = OAuth2(
            kind="oauth2", token_url=f"{spec.login}/{quote(spec.tenant)}/oauth2/v2.0/token", client_id=spec.client_id,
            client_secret=spec.client_secret, scope=f"{spec.management}/.default", send="body",
        )  # fmt: skip
        self._signer = Signer(auth, self._known, caller)
        self._id = (
            f"/subscriptions/{quote(spec.subscription)}/resourceGroups/{quote(spec.resource_group)}"
            f"/providers/Microsoft.DataFactory/factories/{quote(spec.factory)}"
        )
        self.where = f"pipeline {spec.factory}/{spec.pipeline}"

    def check(self) -> None:
        """Whether the pipeline is there."""
        self._ask(f"/pipelines/{quote(self._spec.pipeline)}", _Pipeline)

    def start(self) -> str:
        """Start a run, once; gives its id. Raises Transient also where nobody knows whether it began."""
        path = f"/pipelines/{quote(self._spec.pipeline)}/createRun"
        return self._once(path, _Started, _encode(self._spec.parameters)).run_id

    def run(self, run_id: str) -> Run:
        """How a run goes."""
        return self._ask(f"/pipelineruns/{quote(run_id)}", Run)

    def newest(self) -> Run | None:
        """The run of the pipeline that began last, of those that the factory remembers."""
        runs = self._runs(datetime.now(UTC) - _KEPT, "DESC")
        return runs[0] if runs else None

    def begun_by_us(self, since: datetime) -> Run | None:
        """The first run that was begun by hand or program since then, with the parameters of the source."""
        wanted = {name: _text(value) for name, value in self._spec.parameters.items()}
        for run in self._runs(since - _SKEW, "ASC"):
            began = run.run_start is None or run.run_start >= since - _SKEW
            mine = run.invoked_by.invoked_by_type in ("", "Manual") and _has(run.parameters or {}, wanted)
            if began and mine:
                return run
        return None

    def page(self, run_id: str) -> str:
        """Where a person sees the run."""
        return f"https://adf.azure.com/monitoring/pipelineruns/{run_id}?factory={quote(self._id, safe='')}"

    def _runs(self, since: datetime, order: Literal["ASC", "DESC"]) -> list[Run]:
        until = datetime.now(UTC) + timedelta(days=1)
        question = {
            "lastUpdatedAfter": since.isoformat(),
            "lastUpdatedBefore": until.isoformat(),
            "filters": [{"operand": "PipelineName", "operator": "Equals", "values": [self._spec.pipeline]}],
            "orderBy": [{"orderBy": "RunStart", "order": order}],
        }
        return self._ask("/queryPipelineRuns", _Runs, _encode(question)).value

    def _ask(self, path: str, kind: type[T], body: bytes | None = None) -> T:
        return retrying(lambda: self._once(path, kind, body), self._spec.retry_seconds)

    def _once(self, path: str, kind: type[T], body: bytes | None = None) -> T:
        url = f"{self._spec.management}{self._id}{path}?api-version=2018-06-01"
        method = "GET" if body is None else "POST"
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        answer = self._signer.send(lambda: Call(url, headers, method, body))
        if answer.status != 200:
            raise self._refusal(answer)
        try:
            return read_json(answer.body, kind)
        except msgspec.DecodeError as error:
            hint = "is `management` the address of Azure's resource manager?"
            raise InvalidInput(
                "adf_answer", f"the answer is not as documented: {error}", where=answer.place, hint=hint
            ) from None

    def _refusal(self, answer: Answer) -> DrivetrainError:
        if answer.status == 404:
            hint = "correct `subscription`, `resource_group`, `factory` and `pipeline`; is it published?"
            return NotFound("pipeline_unknown", self._known.words(answer), where=self.where, hint=hint)
        return refusal(answer, self._known)


def _text(value: PipelineValue) -> str:
    """As the service writes a parameter of a run."""
    return str(value) if not isinstance(value, bool) else str(value).lower()


def _has(there: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(there.get(name, "").lower() == value.lower() for name, value in wanted.items())
