"""Outlets that are databases."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.database import SqlDatabase
from drivetrain.core.outlets.outgoing import Outgoing


class SqlOutlet(Outgoing, SqlDatabase):
    """A table of a database: a row for each prediction, or one for each key that is kept up to date."""

    kind: Literal["sql"]
    table: str = Field(description="`name` or `schema.name`.")
    key: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        ("prediction_id",), description="The columns that tell rows apart; a primary key or unique index of the table."
    )
    mode: Literal["insert", "upsert"] = Field(
        "insert", description="A row whose key is there already stays as it is, or is written over."
    )
    create: bool = Field(False, description="Make the table where it is missing.")
    timeout_seconds: Annotated[float, Field(gt=0)] = Field(60, description="The longest that one statement may take.")

    @model_validator(mode="after")
    def _key_leaves(self) -> Self:
        missing = [name for name in self.key if self.columns and name not in self.columns]
        if missing:
            raise ValueError(f"`key` names {missing[0]!r}, which is not one of `columns`: add it there")
        return self
