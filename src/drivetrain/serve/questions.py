"""The queries of the dashboard and of entities: which of them there are, and what they may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from urllib.parse import parse_qsl

from drivetrain.core.errors import InvalidInput, examples

What = Literal["series", "one", "history", "accuracy", "entities", "entity"]
SERIES, ACCURACY, PAGE = "/v1/series", "/v1/accuracy", "/forecasts"
ENTITIES, ENTITIES_PAGE = "/v1/entities", "/entities"
PARTS = ("origin", "level", "step", "series")
"""What accuracy can be parted by."""
_MOST = 10_000


@dataclass(frozen=True)
class Parameter:
    """A parameter of a query: what it says, and its value when it is not given. A number is at least 0."""

    about: str
    default: str | int


PARAMETERS: Mapping[What, Mapping[str, Parameter]] = MappingProxyType(
    {
        "series": {
            "level": Parameter("Only series of this level, such as `item`.", ""),
            "contains": Parameter("Only series with this in their name.", ""),
            "offset": Parameter("How many to leave out at the beginning.", 0),
            "limit": Parameter("How many to give at most.", 100),
        },
        "one": {"days": Parameter("How many of the last days of what happened.", 365)},
        "history": {"origins": Parameter("How many of the newest origins.", 20)},
        "accuracy": {
            "by": Parameter(f"What to part it by: some of {', '.join(PARTS)}, with commas between.", "origin,level")
        },
        "entities": {
            "contains": Parameter("Only entities with this in their name.", ""),
            "offset": Parameter("How many to leave out at the beginning.", 0),
            "limit": Parameter("How many to give at most.", 100),
        },
        "entity": {"limit": Parameter("How many of the newest predictions; at least 1.", 500)},
    }
)


@dataclass(frozen=True)
class Question:
    """What is asked, of which series or entity (empty: of all), and the parameters, whose defaults are filled in."""

    what: What
    name: str
    texts: Mapping[str, str]
    numbers: Mapping[str, int]


def read_question(what: What, name: str, query: str) -> Question:
    """The question of a query string. Raises InvalidInput for a parameter or a value that means nothing."""
    texts, numbers = read_query(PARAMETERS[what], query)
    strange = [part for part in texts.get("by", PARTS[0]).split(",") if part not in PARTS]
    if strange:
        raise _invalid("by", f"names {strange[0][:40]!r}", f"choose some of {', '.join(PARTS)}")
    return Question(what, name, texts, numbers)


def read_query(known: Mapping[str, Parameter], query: str) -> tuple[dict[str, str], dict[str, int]]:
    """The texts and the numbers of a query string, with defaults filled in. Raises InvalidInput as above."""
    given = dict(parse_qsl(query, keep_blank_values=True))
    for name in given:
        if name not in known:
            raise _invalid(name[:40], "is no parameter here", f"there are {examples(known, 10)}")
    said = {name: given.get(name, parameter.default) for name, parameter in known.items()}
    numbers = {name: _number(name, said[name]) for name, one in known.items() if isinstance(one.default, int)}
    return {name: str(value) for name, value in said.items() if name not in numbers}, numbers


def _number(name: str, value: str | int) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise _invalid(name, f"is {text[:40]!r}", f"write a whole number from 0 to {_MOST:,}")
    return min(int(text), _MOST)


def _invalid(name: str, why: str, hint: str) -> InvalidInput:
    return InvalidInput("query_invalid", f"{name} {why}", where=name, hint=hint)
