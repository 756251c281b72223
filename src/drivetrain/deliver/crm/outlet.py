"""The kind ``crm``: rows as objects of a known system, found again by a field of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from drivetrain.connect.place import Place
from drivetrain.core.connections import CrmSystem
from drivetrain.core.errors import Transient
from drivetrain.core.outlets.crm import CrmOutlet as CrmSpec
from drivetrain.deliver.crm.api import Api
from drivetrain.deliver.crm.dynamics import Dynamics
from drivetrain.deliver.crm.hubspot import HubSpot
from drivetrain.deliver.crm.jira import Jira
from drivetrain.deliver.crm.salesforce import Salesforce
from drivetrain.deliver.crm.servicenow import ServiceNow
from drivetrain.deliver.crm.system import Item, System
from drivetrain.deliver.crm.zendesk import Zendesk
from drivetrain.deliver.json_rows import Row, as_text, rows_of
from drivetrain.deliver.outlet import Parcel, Receipt
from drivetrain.deliver.templates import Template, known_column
from drivetrain.deliver.underway import Underway, groups

_SYSTEMS: Mapping[CrmSystem, Callable[[CrmSpec, Api], System]] = {
    "dynamics": Dynamics, "hubspot": HubSpot, "jira": Jira,
    "salesforce": Salesforce, "servicenow": ServiceNow, "zendesk": Zendesk,
}  # fmt: skip


class CrmOutlet:
    """An Outlet that is an object of a system."""

    def __init__(self, spec: CrmSpec, place: Place) -> None:
        """Raises InvalidInput for an object that the system does not have, or a text that is no template."""
        self._spec = spec
        self._api = Api(spec, place)
        self._system = _SYSTEMS[spec.system](spec, self._api)
        self._fields = {
            name: Template(value, f"fields.{name}") if isinstance(value, str) else value
            for name, value in spec.fields.items()
        }
        self._underway = Underway()

    def check(self) -> str:
        """Ask for something that changes nothing. Raises Transient, Forbidden, InvalidInput."""
        return self._system.check()

    def send(self, parcel: Parcel) -> tuple[Receipt, ...]:
        """A receipt for each row, with the number of its object, or why the system does not take it.

        Raises Transient, Forbidden, InvalidInput for a field or an object that is not there.
        """
        left = self._underway.left(parcel)
        items = self._items(parcel)
        keyed = [at for at in left if items[at].key != ""]
        for at in set(left) - set(keyed):
            self._underway.note(at, Receipt(False, f"it has no value in {self._spec.key!r}"))
        for group in groups(keyed, [item.key for item in items], self._system.most):
            self._put([(at, items[at]) for at in group])
        return self._underway.done()

    def close(self) -> None:
        """Let go of the connection."""
        self._api.close()

    def _put(self, group: Sequence[tuple[int, Item]]) -> None:
        receipts = self._system.put([item for _, item in group])
        for (at, _), receipt in zip(group, receipts, strict=True):
            if receipt is not None:
                self._underway.note(at, receipt)
        if None in receipts:
            hint = "run the same command again later; what was taken is not sent again"
            raise Transient("crm_busy", "the system asks to try some rows again", where=self._spec.url, hint=hint)

    def _items(self, parcel: Parcel) -> list[Item]:
        spec, columns = self._spec, parcel.rows.column_names
        for template in self._fields.values():
            if isinstance(template, Template):
                template.check(columns)
        keys: Sequence[object] = parcel.keys
        if spec.key is not None:
            keys = parcel.rows.column(known_column(spec.key, columns, "key")).to_pylist()
        updates = spec.key is not None
        return [
            Item(key if isinstance(key, int) else as_text(key), own, self._filled(row), updates)
            for key, own, row in zip(keys, parcel.keys, rows_of(parcel), strict=True)
        ]

    def _filled(self, row: Row) -> dict[str, object]:
        """The fields of the object, those with a dot inside others: ``priority.name``."""
        given: dict[str, object] = {
            name: template.value(row) if isinstance(template, Template) else template
            for name, template in self._fields.items()
        }
        fields: dict[str, object] = {}
        for name, value in (given or row).items():
            place, parts = fields, _parts(name)
            for part in parts[:-1]:
                inner = place.setdefault(part, {})
                place = inner if isinstance(inner, dict) else {}
            place[parts[-1]] = self._written(value)
        return fields

    def _written(self, value: object) -> object:
        if isinstance(value, datetime) and self._system.written_time is not None:
            return value.astimezone(UTC).strftime(self._system.written_time)
        return value


def _parts(name: str) -> list[str]:
    """A name at its dots; those behind an @ belong to the name (OData: ``owner@odata.bind``)."""
    path, at, note = name.partition("@")
    parts = path.split(".")
    return [*parts[:-1], parts[-1] + at + note]
