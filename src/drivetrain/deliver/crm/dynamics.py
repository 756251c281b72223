"""Dynamics 365 (Dataverse): rows of a table, put by an alternate key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from drivetrain.core.outlets.crm import CrmOutlet as CrmSpec
from drivetrain.deliver.crm.api import Api
from drivetrain.deliver.crm.system import Item
from drivetrain.deliver.outlet import Receipt

_PATH = "api/data/v9.2"
_NO_TABLE = b"Resource not found for the segment"
_UNKNOWN = ("undeclared property", "not declared", "Could not find a property", "not a valid key", "not a defined key")


class Dynamics:
    """The System."""

    most, written_time = 1, None

    def __init__(self, spec: CrmSpec, api: Api) -> None:
        self._table, self._external, self._api = spec.object, spec.external_id, api

    def check(self) -> str:
        """One row of the table, with the key. Raises InvalidInput when it has no such column."""
        answer = self._api.ask("GET", f"{_PATH}/{self._table}?$select={self._external}&$top=1")
        if answer.status != 200:
            said = self._api.refused(answer, _UNKNOWN, nothing_there=True).said
            self._api.raise_if_unknown(said, ("",), answer.place)
        return f"Dynamics has {self._table}, by {self._external}"

    def put(self, items: Sequence[Item]) -> Sequence[Receipt | None]:
        """Put one: it is made or updated over there."""
        (item,) = items
        key = item.key if isinstance(item.key, int) else "'" + quote(item.key.replace("'", "''"), safe="") + "'"
        answer = self._api.ask("PATCH", f"{_PATH}/{self._table}({self._external}={key})", item.fields)
        if answer.status not in {200, 201, 204}:
            no_table = _NO_TABLE in answer.body  # else what the row refers to is not there
            return [self._api.refused(answer, _UNKNOWN, nothing_there=no_table)]
        found = re.search(r"\(([^()]+)\)$", answer.headers.get("OData-EntityId", ""))
        return [Receipt(True, found[1] if found else "")]
