"""What about a source is no longer as it was, as a person reads it and as a machine compares it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivetrain.core.schema import SchemaChange

ChangeKind = Literal["new", "dropped", "retyped", "renamed", "category", "unit", "volume"]


@dataclass(frozen=True)
class SourceChange:
    """One change of a source, of the column ``column`` (empty: of the load as a whole).

    ``old`` and ``new`` are what was and what is: types; of a renamed column its new name, of categories the new texts,
    of a unit the step to it, of a volume the rows. ``note`` says more to a person, and is no part of what is agreed to.
    """

    kind: ChangeKind
    column: str
    old: str = ""
    new: str = ""
    note: str = ""

    def __str__(self) -> str:
        match self.kind:
            case "new":
                return f"+ {self.column} {self.new}"
            case "dropped":
                return f"- {self.column} {self.old}"
            case "retyped":
                return f"~ {self.column}: {self.old} -> {self.new}"
            case "renamed":
                return f"> {self.column} {self.old}: now called {self.new}?"
            case "category":
                return f"* {self.column}: new {self.new}"
            case "unit":
                return f"^ {self.column}: in another unit? {self.new}"
            case "volume":
                return f"! {self.note}"

    @property
    def is_of_values(self) -> bool:
        """Whether the columns are as they were, and what stands in them is not."""
        return self.kind in ("category", "unit", "volume")

    @property
    def facts(self) -> tuple[str, str, str, str]:
        """What makes it this change and no other."""
        return self.kind, self.column, self.old, self.new


def of_schema(change: SchemaChange) -> SourceChange:
    """A column that is new, gone, or of another type, as a change of the source."""
    old, new = (str(one.type) if one else "" for one in (change.old, change.new))
    return SourceChange("retyped" if old and new else "new" if new else "dropped", change.name, old, new)
