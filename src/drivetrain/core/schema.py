"""Columns and their types, the same words in contracts, feature tables, requests and pages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from drivetrain.core.errors import NotFound, examples


class ColumnType(StrEnum):
    """The types a column may have, whatever system it came from."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT = "text"
    DATE = "date"
    TIMESTAMP = "timestamp"


MomentFormat = Literal["iso", "unix", "unix_ms", "number"]
"""How a value that grows is written: ISO 8601, seconds or milliseconds since 1970, or a number such as an id."""


@dataclass(frozen=True)
class Column:
    """A named, typed column."""

    name: str
    type: ColumnType
    nullable: bool = True

    def __str__(self) -> str:
        return f"{self.name} {self.type}{'' if self.nullable else ' not null'}"


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in order."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name; raises NotFound."""
        for column in self.columns:
            if column.name == name:
                return column
        raise NotFound("column_unknown", f"there is no column {name!r}", hint=f"columns: {examples(self.names, 20)}")

    def changes_to(self, new: Schema) -> tuple[SchemaChange, ...]:
        """What differs in ``new``, column by column; empty when both say the same (order does not matter)."""
        before = {column.name: column for column in self.columns}
        after = {column.name: column for column in new.columns}
        names = [*before, *(name for name in after if name not in before)]
        return tuple(
            SchemaChange(name, before.get(name), after.get(name))
            for name in names
            if _differs(before.get(name), after.get(name))
        )


@dataclass(frozen=True)
class SchemaChange:
    """One column that is new, gone, or of another type."""

    name: str
    old: Column | None
    new: Column | None

    def __str__(self) -> str:
        if self.old is None:
            return f"+ {self.new}"
        if self.new is None:
            return f"- {self.old}"
        return f"~ {self.name}: {self.old.type} -> {self.new.type}"


def _differs(old: Column | None, new: Column | None) -> bool:
    return old is None or new is None or old.type is not new.type
