"""What a source promises of its columns and rows, and of a load as a whole."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.schema import ColumnType
from drivetrain.core.spec import Name, Share, Spec

NUMBER_FORMATS = {"1.234,5": (".", ","), "1 234,5": (" ", ","), "1'234.5": ("'", "."), "1,234.5": (",", ".")}
"""How numbers may be written, by an example: the mark between thousands (it may be left out) and before decimals."""


class ColumnRule(Spec):
    """What a contract asks of one column."""

    type: ColumnType
    format: str | None = Field(
        None,
        description="How the source writes it, where that is not the usual way: dates and times by strptime codes "
        "(`%d.%m.%Y`), numbers by an example (`1.234,5`), booleans by their two words (`ja/nein`).",
    )
    nullable: bool = True
    min: float | None = None
    max: float | None = None
    one_of: tuple[str, ...] | None = Field(None, description="The only values allowed.")
    pattern: str | None = Field(None, description="A regular expression that the whole value matches.")
    unique: bool = Field(False, description="No two rows hold the same value.")
    description: str = ""

    @model_validator(mode="after")
    def _format_fits(self) -> Self:
        if self.format is None:
            return self
        if self.type in (ColumnType.DATE, ColumnType.TIMESTAMP):
            fits, wanted = "%" in self.format, "strptime codes, such as `%d.%m.%Y`"
        elif self.type in (ColumnType.INTEGER, ColumnType.NUMBER):
            fits, wanted = self.format in NUMBER_FORMATS, f"one of {', '.join(NUMBER_FORMATS)}"
        elif self.type is ColumnType.BOOLEAN:
            fits, wanted = len({word.strip().lower() for word in self.format.split("/")} - {""}) == 2, "`yes/no`"
        else:
            raise ValueError("text has no `format`; `pattern` says what it looks like")
        if not fits:
            raise ValueError(f"the `format` of a column of the type {self.type} is {wanted}")
        return self


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
    history: Literal["ignore", "alarm", "refuse"] = Field(
        "alarm", description="What happens to a load with far more or fewer rows than the loads before."
    )


class Pace(Spec):
    """How often new rows come. A source that stands still longer is an alarm."""

    max_gap_hours: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Hours between two loads that bring rows, at most; taken from history when not given."
    )
    history: Literal["ignore", "alarm"] = "alarm"


LetIn = Literal["refuse", "alarm", "accept"]


class Changes(Spec):
    """What happens when the source itself changes.

    `refuse`: the load waits until somebody agrees. `alarm`: it goes on and is told. `accept`: it goes on in silence.
    """

    new: Literal["refuse", "alarm", "accept", "ignore"] = Field(
        "refuse", description="A column that was not there; `ignore` leaves it out."
    )
    dropped: LetIn = Field("refuse", description="A column that is gone: missing in newer rows.")
    retyped: LetIn = Field("refuse", description="A column of another type: it takes the type that holds both.")
    renamed: Literal["refuse", "alarm", "accept", "ignore"] = Field(
        "refuse",
        description="A column under a new name, told by names and values: it keeps its old name in the table. "
        "`ignore`: take it for one that is gone and one that is new.",
    )
    category: Literal["alarm", "refuse", "ignore"] = Field(
        "alarm", description="A text that was not there, in a column that has few."
    )
    unit: Literal["alarm", "refuse", "ignore"] = Field(
        "alarm", description="Numbers that moved as a whole by a step such as 100, 2.54, or Celsius to Fahrenheit."
    )
    review: Literal["optional", "required"] = Field(
        "optional",
        description="`required`: what is refused comes in by `drivetrain contracts accept` of a second person, not by "
        "`--accept-schema`.",
    )


class Contract(Spec):
    """What a source promises. Bad rows are quarantined with their reasons; above ``max_bad_share`` the load fails."""

    columns: dict[str, ColumnRule] = Field(default_factory=dict, description="Column name to rules.")
    key: tuple[str, ...] = Field((), description="Columns that together name a row; no two rows share them.")
    checks: tuple[SqlCheck, ...] = Field((), description="Rules of your own, in SQL.")
    freshness: Freshness | None = None
    rows: Volume = Volume()
    pace: Pace = Pace()
    changes: Changes = Changes()
    max_bad_share: Share = Field(0.01, description="Of the rows of one load; more than that fails the load.")
