"""From text to types, in DuckDB SQL. Strict where DuckDB's own casts are not: '3.7' is no integer, 'epoch' no date."""

from __future__ import annotations

import re
from collections.abc import Iterable

from drivetrain.core.contract import NUMBER_FORMATS
from drivetrain.core.schema import ColumnType

_DAY = r"\d{4}-\d{2}-\d{2}"
_MIDNIGHT = r"([ T]00:00(:00(\.0*)?)?(Z|\+00(:?00)?)?)?"
_CLOCK = r"([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?"
_FORM = {
    ColumnType.INTEGER: r"\s*[+-]?\d+(\.0*)?\s*",
    ColumnType.NUMBER: r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*",
    ColumnType.DATE: rf"\s*{_DAY}{_MIDNIGHT}\s*",
    ColumnType.TIMESTAMP: rf"\s*{_DAY}{_CLOCK}\s*",
}
# What an undeclared column must look like throughout to be taken for more than text: 007 is a code, not a number.
_PLAIN = {
    ColumnType.INTEGER: r"[+-]?(0|[1-9]\d*)",
    ColumnType.NUMBER: r"[+-]?(0|[1-9]\d*)?(\.\d*)?([eE][+-]?\d+)?",
    ColumnType.BOOLEAN: r"(?i:true|false)",
    ColumnType.DATE: _DAY,
    ColumnType.TIMESTAMP: rf"{_DAY}{_CLOCK}",
}
INFERRED = tuple(_PLAIN)
"""The types an undeclared column may turn out to have, narrowest first; text when none fits."""

NUMBERS = (ColumnType.INTEGER, ColumnType.NUMBER)

SQL_TYPE = {
    ColumnType.INTEGER: "BIGINT",
    ColumnType.NUMBER: "DOUBLE",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.TEXT: "VARCHAR",
    ColumnType.DATE: "DATE",
    ColumnType.TIMESTAMP: "TIMESTAMPTZ",
}
MEANING = {
    ColumnType.INTEGER: "an integer",
    ColumnType.NUMBER: "a finite number",
    ColumnType.BOOLEAN: "true or false",
    ColumnType.TEXT: "text",
    ColumnType.DATE: "a date (YYYY-MM-DD)",
    ColumnType.TIMESTAMP: "a timestamp (YYYY-MM-DD HH:MM:SS, in UTC or with its zone)",
}


def quoted(column: str) -> str:
    """A column's name as an SQL identifier."""
    return '"' + column.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def listed(columns: Iterable[str]) -> str:
    """Several columns, with commas."""
    return ", ".join(quoted(column) for column in columns)


def typed(value: str, kind: ColumnType, form: str | None = None) -> str:
    """SQL for the text ``value`` as a value of that type; NULL where it is none.

    Integers may end in ``.0``; booleans are true/false, t/f, yes/no, y/n, 1/0; times without a zone are UTC. ``form``
    is the ``format`` of a column's rule; dates and times may be written the usual way beside it.
    """
    if form is not None:
        return _formed(value, kind, form)
    if kind is ColumnType.TEXT:
        return value
    if kind is ColumnType.BOOLEAN:
        return (
            f"CASE WHEN lower(trim({value})) IN ('true', 't', 'yes', 'y', '1', '1.0') THEN true "
            f"WHEN lower(trim({value})) IN ('false', 'f', 'no', 'n', '0', '0.0') THEN false END"
        )
    cast = _cast(value, kind)
    finite = f" AND isfinite({cast})" if kind is not ColumnType.INTEGER else ""
    return f"CASE WHEN regexp_full_match({value}, {literal(_FORM[kind])}){finite} THEN {cast} END"


def _formed(value: str, kind: ColumnType, form: str) -> str:
    plain = f"trim({value})"
    if kind is ColumnType.BOOLEAN:
        yes, no = (literal(word.strip().lower()) for word in form.split("/"))
        return f"CASE lower({plain}) WHEN {yes} THEN true WHEN {no} THEN false END"
    if kind in NUMBERS:
        between, before = NUMBER_FORMATS[form]
        thousands = rf"\d{{1,3}}({re.escape(between)}\d{{3}})+|\d+"
        written = rf"[+-]?({thousands})({re.escape(before)}\d*)?"
        usual = f"replace(replace({plain}, {literal(between)}, ''), {literal(before)}, '.')"
        return f"CASE WHEN regexp_full_match({plain}, {literal(written)}) THEN {typed(usual, kind)} END"
    read = f"CAST(try_strptime({plain}, {literal(form)}) AS {SQL_TYPE[kind]})"
    return f"coalesce({read}, {typed(value, kind)})"


def looks_like(value: str, kind: ColumnType) -> str:
    """SQL that is true where the text ``value`` is what a column of that type is usually written like."""
    cast = _cast(value, kind)
    sound = f"{cast} IS NOT NULL" if kind in (ColumnType.INTEGER, ColumnType.BOOLEAN) else f"isfinite({cast})"
    return f"(regexp_full_match({value}, {literal(_PLAIN[kind])}) AND coalesce({sound}, false))"


def _cast(value: str, kind: ColumnType) -> str:
    plain = f"trim({value})"
    if kind is ColumnType.TIMESTAMP:  # DuckDB wants seconds before a zone: 10:00Z
        plain = f"regexp_replace({plain}, '^(.{{16}})(Z|[+-]|$)', '\\1:00\\2')"
    return f"try_cast({plain} AS {SQL_TYPE[kind]})"
