"""Salesforce: many records in one call, put by a field that is an external id (sObject Collections)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drivetrain.core.outlets.crm import CrmOutlet as CrmSpec
from drivetrain.deliver.crm.api import Api
from drivetrain.deliver.crm.system import Item
from drivetrain.deliver.outlet import Receipt

_PATH = "services/data/v62.0"
_UNKNOWN = ('INVALID_FIELD"', "No such column", "external ID field does not exist")
_AGAIN = {"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG", "API_CURRENTLY_DISABLED"}


@dataclass(frozen=True)
class Problem:
    """Why a record was not taken."""

    statusCode: str  # noqa: N815 - as Salesforce calls it
    message: str = ""


@dataclass(frozen=True)
class Result:
    """What became of a record."""

    success: bool
    id: str | None = None
    errors: tuple[Problem, ...] = ()


class Salesforce:
    """The System."""

    most, written_time = 200, None

    def __init__(self, spec: CrmSpec, api: Api) -> None:
        self._object, self._external, self._api = spec.object, spec.external_id, api

    def check(self) -> str:
        """The object's description: it must have the external id. Raises InvalidInput when it does not."""
        answer = self._api.found(f"{_PATH}/sobjects/{self._object}/describe")
        fields = {field.name for field in self._api.read(answer, Description).fields if field.externalId}
        if self._external not in fields:
            said = f"{self._external} is no external id"
            self._api.raise_if_unknown(said, (said,), answer.place)
        return f"Salesforce has {self._object}, by {self._external}"

    def put(self, items: Sequence[Item]) -> Sequence[Receipt | None]:
        """Put all; when the call as a whole is refused, one by one."""
        kind = {"attributes": {"type": self._object}}
        records = [{**kind, **item.fields, self._external: str(item.key)} for item in items]
        path = f"{_PATH}/composite/sobjects/{self._object}/{self._external}"
        answer = self._api.ask("PATCH", path, {"allOrNone": False, "records": records})
        if answer.status == 200:
            return [_receipt(result) for result in self._api.read(answer, tuple[Result, ...])]
        refused = self._api.refused(answer, _UNKNOWN, nothing_there=True)
        return [refused] if len(items) == 1 else [receipt for item in items for receipt in self.put([item])]


@dataclass(frozen=True)
class Field:
    """A field of an object."""

    name: str
    externalId: bool = False  # noqa: N815 - as Salesforce calls it


@dataclass(frozen=True)
class Description:
    """What an object is."""

    fields: tuple[Field, ...]


def _receipt(result: Result) -> Receipt | None:
    if result.success:
        return Receipt(True, result.id or "")
    if any(problem.statusCode in _AGAIN for problem in result.errors):
        return None
    return Receipt(False, "; ".join(f"{problem.statusCode}: {problem.message}" for problem in result.errors))
