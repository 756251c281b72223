"""What a service does only where a section of the project file says how, and what it says where none does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from drivetrain.connect.http.messages import Exchange
from drivetrain.core.errors import NotFound

Section = Literal["knowledge", "chat", "features.items", "service.documents", "service.entities", "forecast"]


class _Lack(NamedTuple):
    code: str
    message: str
    then: str


_LACKS: Mapping[Section, _Lack] = {
    "knowledge": _Lack("no_knowledge", "knows no passages", "release"),
    "chat": _Lack("no_chat", "does not say how to talk", "release"),
    "features.items": _Lack("no_items", "recommends nothing", "release"),
    "service.documents": _Lack("no_documents", "reads no documents", "serve"),
    "service.entities": _Lack("no_entities", "has no pages of entities", "serve"),
    "forecast": _Lack("forecasts_nothing", "forecasts nothing", "serve"),
}


def missing(section: Section, who: str) -> NotFound:
    """A service or a release, ``who``, is asked for what only the section makes it do."""
    code, message, then = _LACKS[section]
    hint = f"set `{section}` in the project file, and {then} again"
    return NotFound(code, f"{who} {message}", where=section, hint=hint)


class Missing:
    """The endpoint of a path that leads somewhere only with a section."""

    def __init__(self, section: Section, service: str) -> None:
        self._error = section, service

    def __call__(self, exchange: Exchange) -> None:
        """Raises NotFound."""
        raise missing(*self._error)
