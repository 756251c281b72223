"""SQL text with values in it, for any dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import sqlalchemy as sa

Value = int | float | Decimal | date | datetime | str


@dataclass(frozen=True)
class Bound:
    """A value that stands in a statement."""

    value: Value


Statement = tuple[str | Bound, ...]
"""Pieces of SQL, and values between them."""


def inline(statement: Statement) -> str:
    """The statement as text with its values as untyped literals, to which PostgreSQL gives the type of the column."""
    return "".join(_literal(piece.value) if isinstance(piece, Bound) else piece for piece in statement)


def parametrised(statement: Statement) -> sa.TextClause:
    """The statement with its values as parameters of the driver."""
    text = "".join(
        f":v{place}" if isinstance(piece, Bound) else piece.replace(":", "\\:") for place, piece in enumerate(statement)
    )
    values = {f"v{place}": piece.value for place, piece in enumerate(statement) if isinstance(piece, Bound)}
    return sa.text(text).bindparams(**values)


def conditions(clauses: Sequence[Statement]) -> Statement:
    """``WHERE`` of all clauses; nothing when there is none."""
    joined: list[str | Bound] = []
    for clause in clauses:
        joined += [" AND " if joined else " WHERE ", *clause]
    return tuple(joined)


def _literal(value: Value) -> str:
    return "'" + shown(value).replace("'", "''") + "'"


def shown(value: Value) -> str:
    """The value as text from which ``ingest.databases.marks`` reads it again."""
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)
