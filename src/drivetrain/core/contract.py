"""What a source promises of its columns and rows, and of a load as a whole."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from drivetrain.core.schema import ColumnType
from drivetrain.core.spec import Name, Share, Spec


class ColumnRule(Spec):
    """What a contract asks of one column."""

    type: ColumnType
    nullable: bool = True
    min: float | None = None
    max: float | None = None
    one_of: tuple[str, ...] | None = Field(None, description="The only values allowed.")
    pattern: str | None = Field(None, description="A regular expression that the whole value matches.")
    unique: bool = Field(False, description="No two rows hold the same value.")
    description: str = ""


class SqlCheck(Spec):
    """A rule of one's own: a DuckDB expression over the columns of one row, true where the row is good."""

    name: Name
    sql: str


class Freshness(Spec):
    """The newest value of ``column`` is at most ``max_age_hours`` old."""

    column: str
    max_age_hours: Annotated[float, Field(gt=0)]


class Volume(Spec):
    """How many rows one load may bring."""

    min: int | None = None
    max: int | None = None


class Contract(Spec):
    """What a source promises. Bad rows are quarantined with their reasons; above ``max_bad_share`` the load fails."""

    columns: dict[str, ColumnRule] = Field(default_factory=dict, description="Column name to rules.")
    key: tuple[str, ...] = Field((), description="Columns that together name a row; no two rows share them.")
    checks: tuple[SqlCheck, ...] = Field((), description="Rules of your own, in SQL.")
    freshness: Freshness | None = None
    rows: Volume = Volume()
    max_bad_share: Share = Field(0.01, description="Of the rows of one load; more than that fails the load.")
