"""HubSpot: many objects in one call, put by a property with unique values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from drivetrain.core.outlets.crm import CrmOutlet as CrmSpec
from drivetrain.deliver.crm.api import Api
from drivetrain.deliver.crm.system import Item
from drivetrain.deliver.json_rows import as_text
from drivetrain.deliver.outlet import Receipt

_UNKNOWN = ("PROPERTY_DOESNT_EXIST", "does not exist", "not a unique property", "idProperty")


class Result(msgspec.Struct, frozen=True, rename="camel"):
    """An object that was put; HubSpot gives back the trace that it was sent with."""

    id: str
    object_write_trace_id: str = ""


class Problem(msgspec.Struct, frozen=True):
    """Why some were not: ``context`` says of which traces it is told."""

    message: str = ""
    category: str = ""
    context: dict[str, tuple[str, ...]] = {}


class Results(msgspec.Struct, frozen=True):
    """What became of a call (200: all of it, 207: some of it)."""

    results: tuple[Result, ...] = ()
    errors: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Property:
    """A property of an object."""

    hasUniqueValue: bool = False  # noqa: N815 - as HubSpot calls it


class HubSpot:
    """The System."""

    most, written_time = 100, None

    def __init__(self, spec: CrmSpec, api: Api) -> None:
        self._object, self._external, self._api = spec.object, spec.external_id, api

    def check(self) -> str:
        """The property by which objects are found. Raises InvalidInput when its values are not unique."""
        answer = self._api.found(f"crm/v3/properties/{self._object}/{self._external}")
        if not self._api.read(answer, Property).hasUniqueValue:
            said = f"the values of {self._external} are not unique"
            self._api.raise_if_unknown(said, (said,), answer.place)
        return f"HubSpot has {self._object}, by {self._external}"

    def put(self, items: Sequence[Item]) -> Sequence[Receipt | None]:
        """Put all; when the call as a whole is refused, one by one."""
        inputs = [
            {
                "idProperty": self._external,
                "id": str(item.key),
                "properties": {name: as_text(value) for name, value in item.fields.items()},
                "objectWriteTraceId": str(at),
            }
            for at, item in enumerate(items)
        ]
        answer = self._api.ask("POST", f"crm/v3/objects/{self._object}/batch/upsert", {"inputs": inputs})
        if answer.status not in {200, 201, 207}:
            refused = self._api.refused(answer, _UNKNOWN, nothing_there=True)
            return [refused] if len(items) == 1 else [receipt for item in items for receipt in self.put([item])]
        told = self._api.read(answer, Results)
        receipts = {one.object_write_trace_id: Receipt(True, one.id) for one in told.results}
        for problem in told.errors:
            self._api.raise_if_unknown(problem.message, _UNKNOWN, answer.place)
            for trace in problem.context.get("objectWriteTraceId", ()):
                receipts[trace] = Receipt(False, f"{problem.category}: {problem.message}")
        return [receipts.get(str(at)) for at in range(len(items))]
