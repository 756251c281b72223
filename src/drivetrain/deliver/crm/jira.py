"""Jira (Cloud): issues, looked for by a label of their own before they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlencode

from drivetrain.connect.web_call import Answer
from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.core.outlets.crm import CrmOutlet as CrmSpec
from drivetrain.deliver.crm.api import Api
from drivetrain.deliver.crm.system import Fields, Item
from drivetrain.deliver.outlet import Receipt

_UNKNOWN = ("It is not on the appropriate screen, or unknown",)
_INDEX_SECONDS = 15.0
_LONGEST_LABEL = 255


@dataclass(frozen=True)
class Issue:
    """An issue: ``key`` is what people call it, ``SUP-7``."""

    key: str


@dataclass(frozen=True)
class Found:
    """The issues that were asked for."""

    issues: tuple[Issue, ...]


class Jira:
    """The System. Its second version takes texts as texts, not as trees of paragraphs."""

    most, written_time = 1, "%Y-%m-%dT%H:%M:%S.000+0000"

    def __init__(self, spec: CrmSpec, api: Api) -> None:
        """Raises InvalidInput for another object."""
        if spec.object != "issues":
            hint = "write `object: issues`; the project and the type are `fields`: project.key, issuetype.name"
            raise InvalidInput("crm_object_unknown", f"jira takes no {spec.object!r} here", where="object", hint=hint)
        self._api = api

    def check(self) -> str:
        """Who we are over there."""
        self._api.found("rest/api/2/myself")
        return "Jira takes the login, for issues"

    def put(self, items: Sequence[Item]) -> Sequence[Receipt | None]:
        """Look for one; make it, or write what is new."""
        (item,) = items
        label = _label(str(item.key))
        found = self._looked(label)
        fields = _labelled(item.fields, label)
        if found is None:
            return [self._made(fields)]
        if item.updates:
            answer = self._api.ask("PUT", f"rest/api/2/issue/{found.key}", {"fields": fields})
            if answer.status not in {200, 204}:
                return [self._api.refused(answer, _UNKNOWN)]
        return [Receipt(True, found.key)]

    def _made(self, fields: Fields) -> Receipt:
        try:
            answer = self._api.ask("POST", "rest/api/2/issue", {"fields": fields})
        except Transient as error:  # it may be there, and Jira finds what is new some seconds later only
            seconds = max(error.seconds or 0.0, _INDEX_SECONDS)
            raise Transient(error.code, error.message, where=error.where, hint=error.hint, seconds=seconds) from None
        if answer.status not in {200, 201}:
            return self._api.refused(answer, _UNKNOWN)
        return Receipt(True, self._api.read(answer, Issue).key)

    def _looked(self, label: str) -> Issue | None:
        asked = urlencode({"jql": f'labels = "{label}"', "fields": "key", "maxResults": "1"})
        answer: Answer = self._api.found(f"rest/api/2/search/jql?{asked}")
        return next(iter(self._api.read(answer, Found).issues), None)


def _label(key: str) -> str:
    """The label of a key: a word, which Jira does not tell in upper case from lower case."""
    label = f"drivetrain-{key}"
    plain = key.isascii() and key.replace("-", "").isalnum() and key == key.lower() and len(label) <= _LONGEST_LABEL
    return label if plain else f"drivetrain-{sha256(key.encode()).hexdigest()}"


def _labelled(fields: Fields, label: str) -> Fields:
    theirs = fields.get("labels")
    return {**fields, "labels": [*theirs, label] if isinstance(theirs, list) else [label]}
