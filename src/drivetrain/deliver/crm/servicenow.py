"""ServiceNow: records of a table, looked for by a field (``correlation_id``) before they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from drivetrain.connect.web_call import Answer
from drivetrain.core.outlets.crm import CrmOutlet as CrmSpec
from drivetrain.deliver.crm.api import Api
from drivetrain.deliver.crm.system import Item
from drivetrain.deliver.outlet import Receipt


@dataclass(frozen=True)
class Found:
    """The records that were asked for."""

    result: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Written:
    """The record that was written."""

    result: dict[str, str]


class ServiceNow:
    """The System."""

    most, written_time = 1, "%Y-%m-%d %H:%M:%S"

    def __init__(self, spec: CrmSpec, api: Api) -> None:
        self._table, self._api = spec.object, api
        self._external = spec.external_id or "correlation_id"
        self._path = f"api/now/table/{spec.object}"
        self._fields = f"sys_id,number,{self._external}"

    def check(self) -> str:
        """One record of the table, if there is one."""
        self._looked("ORDERBYsys_id")
        return f"ServiceNow has the table {self._table}, by {self._external}"

    def put(self, items: Sequence[Item]) -> Sequence[Receipt | None]:
        """Look for one; make it, or write what is new."""
        (item,) = items
        key = str(item.key)
        if "^" in key:  # it would be read as the beginning of another condition
            return [Receipt(False, f"{key!r}: the key holds a ^")]
        found = self._looked(f"{self._external}={key}")
        fields = {**item.fields, self._external: key}
        shown = urlencode({"sysparm_fields": self._fields})
        if found is None:
            return [self._receipt(self._api.ask("POST", f"{self._path}?{shown}", fields))]
        if not item.updates:
            return [Receipt(True, _number(found))]
        return [self._receipt(self._api.ask("PATCH", f"{self._path}/{found['sys_id']}?{shown}", fields))]

    def _looked(self, query: str) -> dict[str, str] | None:
        """The record, if there is one. Raises InvalidInput for a field that is not there: it finds every record."""
        asked = {"sysparm_query": query, "sysparm_fields": self._fields, "sysparm_limit": "1"}
        answer = self._api.found(f"{self._path}?{urlencode(asked)}")
        records = self._api.read(answer, Found).result
        if records and self._external not in records[0]:
            self._api.raise_if_unknown(self._external, (self._external,), answer.place)
        return records[0] if records else None

    def _receipt(self, answer: Answer) -> Receipt:
        if answer.status not in {200, 201}:
            return self._api.refused(answer, ())
        return Receipt(True, _number(self._api.read(answer, Written).result))


def _number(record: dict[str, str]) -> str:
    """What people call it; tables without a number know it by its ``sys_id``."""
    return record.get("number") or record["sys_id"]
