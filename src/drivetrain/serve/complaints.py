"""What a caller is told about a body that is not as it should be: which row, which field, what was expected."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection
from typing import TypeVar

import msgspec

from drivetrain.core.errors import InvalidInput, examples

T = TypeVar("T")
_PLACED = re.compile(r"(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`", re.DOTALL)
_TYPE = re.compile(r"Expected `(?P<wanted>.*)`, got `(?P<given>.*)`")
_BOUND = re.compile(r"Expected `\w+` (?P<bound>[<>]=? .*)")
_WORDS = {
    "int": "an integer", "float": "a number", "str": "text", "bool": "true or false", "null": "null",
    "array": "a list", "object": "an object", "date": "a date such as 2026-01-31",
    "datetime": "a timestamp such as 2026-01-31T12:00:00Z",
}  # fmt: skip
_LONGEST = 80


def parsed(parse: Callable[[bytes], T], body: bytes, known: Collection[str], root: str = "") -> T:
    """What ``parse`` makes of the body, or of the part of it at ``root``; raises InvalidInput.

    ``known`` are the field names to guess a misspelt one.
    """
    try:
        return parse(body)
    except msgspec.ValidationError as error:
        raise complaint(error, known, root) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = str(error).removeprefix("JSON is malformed: ")
        raise InvalidInput(
            "json_invalid",
            f"the {'line' if root else 'body'} is not JSON: {why}",
            where=root or "body",
            hint="JSON has no NaN and no Infinity: write null for a missing value",
        ) from None


def complaint(error: msgspec.ValidationError, known: Collection[str], root: str = "") -> InvalidInput:
    """The error of ours for one of msgspec. ``root`` is where the value stands that was not as it should be."""
    placed = _PLACED.fullmatch(str(error))
    what, path = (placed["what"], placed["path"] or "") if placed else (str(error), "")
    where = (root + path).removeprefix(".")
    if unknown := _UNKNOWN.fullmatch(what):
        return unknown_field(unknown["field"], where, known)
    if missing := _MISSING.fullmatch(what):
        field = missing["field"]
        return InvalidInput(
            "field_missing", f"{field} is missing", where=_join(where, field), hint="it may not be null: give a value"
        )
    if wrong := _TYPE.fullmatch(what):
        message = f"expected {_words(wrong['wanted'])}, got {_words(wrong['given'])}"
        return InvalidInput("field_type", message, where=where or "body", hint=_SCHEMA)
    if bound := _BOUND.fullmatch(what):
        return InvalidInput("field_range", f"expected a value {bound['bound']}", where=where or "body", hint=_SCHEMA)
    return InvalidInput("field_invalid", what, where=where or "body", hint=_SCHEMA)


_SCHEMA = "GET /openapi.json describes every field"


def unknown_field(field: str, where: str, known: Collection[str]) -> InvalidInput:
    """There is no such field at ``where``; perhaps one that is spelt nearly so."""
    near = difflib.get_close_matches(field[:_LONGEST], known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"fields: {examples(known, 30)}"
    shown = field[:_LONGEST]
    return InvalidInput("field_unknown", f"there is no field {shown}", where=_join(where, shown), hint=hint)


def _join(where: str, field: str) -> str:
    return f"{where}.{field}" if where else field


def _words(types: str) -> str:
    names = types.replace("int | float", "int").split(" | ")  # an integer may be written 45.0
    return " or ".join(_WORDS.get(name, name) for name in names)
