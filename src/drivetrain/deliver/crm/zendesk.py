"""Zendesk: tickets, users and organizations, found again by their ``external_id``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from drivetrain.connect.web_call import Answer
from drivetrain.core.errors import InvalidInput
from drivetrain.core.outlets.crm import CrmOutlet as CrmSpec
from drivetrain.deliver.crm.api import Api
from drivetrain.deliver.crm.system import Fields, Item
from drivetrain.deliver.outlet import Receipt

_ONE_OF = {"tickets": "ticket", "users": "user", "organizations": "organization"}
_CONFLICT = 409


@dataclass(frozen=True)
class Numbered:
    """A ticket, user or organization."""

    id: int
    external_id: str | None = None


@dataclass(frozen=True)
class Tickets:
    """Those that were asked for."""

    tickets: tuple[Numbered, ...]


class Zendesk:
    """The System."""

    most, written_time = 1, None

    def __init__(self, spec: CrmSpec, api: Api) -> None:
        """Raises InvalidInput for another object."""
        if spec.object not in _ONE_OF:
            what = f"zendesk takes no {spec.object!r} here"
            hint = f"one of {', '.join(_ONE_OF)}; others by an outlet of the kind `webhook`"
            raise InvalidInput("crm_object_unknown", what, where="object", hint=hint)
        self._many, self._one, self._api = spec.object, _ONE_OF[spec.object], api

    def check(self) -> str:
        """Who we are over there."""
        self._api.found("api/v2/users/me.json")
        return f"Zendesk takes the login, for {self._many}"

    def put(self, items: Sequence[Item]) -> Sequence[Receipt | None]:
        """Put one: Zendesk does so by itself, but for tickets, which are looked for first."""
        (item,) = items
        fields = {**_listed(item.fields), "external_id": str(item.key)}
        if self._one != "ticket":
            path = f"api/v2/{self._many}/create_or_update.json"
            return [self._receipt(self._api.ask("POST", path, {self._one: fields}))]
        found = self._ticket(str(item.key))
        if found is None:
            headers = {"Idempotency-Key": item.id}  # it is held for two hours, longer than a look-up may lag
            return [self._receipt(self._api.ask("POST", "api/v2/tickets.json", {"ticket": fields}, headers))]
        if not item.updates:
            return [Receipt(True, str(found.id))]
        return [self._receipt(self._api.ask("PUT", f"api/v2/tickets/{found.id}.json", {"ticket": fields}))]

    def _ticket(self, key: str) -> Numbered | None:
        answer = self._api.found(f"api/v2/tickets.json?external_id={quote(key, safe='')}")
        tickets = self._api.read(answer, Tickets).tickets
        return next((ticket for ticket in tickets if ticket.external_id == key), None)

    def _receipt(self, answer: Answer) -> Receipt | None:
        if answer.status == _CONFLICT:  # somebody else writes to it at this moment
            return None
        if answer.status not in {200, 201}:
            return self._api.refused(answer, (), nothing_there=self._one != "ticket")  # a ticket was looked for
        return Receipt(True, str(self._api.read(answer, dict[str, Numbered])[self._one].id))


def _listed(fields: Fields) -> Fields:
    """Custom fields of tickets are a list over there: ``custom_fields.360001: ...``."""
    custom = fields.get("custom_fields")
    if not isinstance(custom, Mapping):
        return fields
    return {**fields, "custom_fields": [{"id": int(name), "value": value} for name, value in custom.items()]}
