"""Patterns of lines: regular expressions with named pieces, ``%{IP:client}``, whose types are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.schema import Column, ColumnType, Schema

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""As servers write them, whatever the language of the machine."""
_QUOTED = r'"(?:[^"\\]|\\.)*"'
Convert = Callable[[str], str]


@dataclass(frozen=True)
class _Piece:
    """What a piece matches, the type of its value, and how that is written as text."""

    expression: str
    type: ColumnType = ColumnType.TEXT
    convert: Convert | None = None


def _http_date(text: str) -> str:
    """``10/Oct/2024:13:55:36 -0700`` as ISO 8601."""
    month = MONTHS.index(text[3:6]) + 1 if text[3:6] in MONTHS else 0
    return f"{text[7:11]}-{month:02}-{text[:2]}T{text[12:20]}{text[21:24]}:{text[24:26]}"


_PIECES: Mapping[str, _Piece] = {
    "INT": _Piece(r"[+-]?\d+", ColumnType.INTEGER),
    "NUMBER": _Piece(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", ColumnType.NUMBER),
    "IP": _Piece(r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)"),
    "HOST": _Piece(r"[\w.:-]+"),
    "WORD": _Piece(r"\w+"),
    "NOTSPACE": _Piece(r"\S+"),
    "SPACE": _Piece(r"\s*"),
    "DATA": _Piece(r".*?"),
    "GREEDYDATA": _Piece(r".*"),
    "QUOTED": _Piece(_QUOTED, convert=lambda text: text[1:-1]),
    "PATH": _Piece(r"/[^\s?#]*"),
    "UUID": _Piece(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
    "LEVEL": _Piece(r"(?i:trace|debug|info|notice|warn(?:ing)?|err(?:or)?|crit(?:ical)?|alert|fatal|severe|emerg\w*)"),
    "HTTPDATE": _Piece(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}", ColumnType.TIMESTAMP, _http_date),
    "ISO8601": _Piece(
        r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?",
        ColumnType.TIMESTAMP,
        lambda text: text.replace(",", "."),
    ),
}  # fmt: skip
_REFERENCE = re.compile(r"%\{(\w+)(?::(\w+))?\}")


@dataclass(frozen=True)
class Pattern:
    """A pattern, ready to match whole records."""

    expression: re.Pattern[str]
    columns: Schema
    converters: Mapping[str, Convert]

    def match(self, text: str) -> dict[str, str | None] | None:
        """The values by name, missing where nothing was matched or ``-`` stands; None when the text does not fit."""
        found = self.expression.fullmatch(text)
        if found is None:
            return None
        row: dict[str, str | None] = found.groupdict()
        for name, value in row.items():
            if value is None or value in ("-", ""):
                row[name] = None
            elif name in self.converters:
                row[name] = self.converters[name](value)
        return row


def compile_pattern(text: str) -> Pattern:
    """The pattern that a text means. Raises InvalidInput for unknown pieces and what is no regular expression."""
    pieces: dict[str, _Piece] = {}

    def expand(found: re.Match[str]) -> str:
        piece = _PIECES.get(found[1])
        if piece is None:
            raise _invalid(text, f"there is no piece {found[1]}", f"known are {examples(list(_PIECES), 20)}")
        if found[2] is None:
            return f"(?:{piece.expression})"
        pieces[found[2]] = piece
        return f"(?P<{found[2]}>{piece.expression})"

    try:
        expression = re.compile(_REFERENCE.sub(expand, text), re.DOTALL)
    except re.error as error:
        raise _invalid(text, str(error), "names of pieces stand once; signs such as [ ( . need a \\ before") from None
    names = tuple(expression.groupindex)
    if not names:
        raise _invalid(text, "no piece has a name", "name those that become columns: %{IP:client}")
    columns = Schema(tuple(Column(name, pieces[name].type if name in pieces else ColumnType.TEXT) for name in names))
    converters = {name: piece.convert for name, piece in pieces.items() if piece.convert is not None}
    return Pattern(expression, columns, converters)


def _invalid(text: str, why: str, cure: str) -> InvalidInput:
    return InvalidInput("pattern_invalid", f"the pattern cannot be used: {why}", where=text[:200], hint=cure)
