"""Sources that are databases."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.contract import Contract
from drivetrain.core.database import DatabaseUrl, SqlDatabase
from drivetrain.core.sources.queried import QueriedSource, refuse
from drivetrain.core.spec import ZoneName

_NAME = 63  # bytes of a name in PostgreSQL


class SqlSource(QueriedSource, SqlDatabase):
    """A table or a query of a database: PostgreSQL, MySQL, MariaDB, SQLite; others by their SQLAlchemy dialect."""

    kind: Literal["sql"]
    parallel: Annotated[int, Field(ge=1, le=16)] = Field(1, description="Connections that read at once (PostgreSQL).")
    parallel_by: str | None = Field(
        None, description="The integer column that `parallel` divides; without it `cursor`."
    )
    time_zone: ZoneName = Field("UTC", description="What timestamps without a zone mean, such as `Europe/Madrid`.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        several = self.parallel > 1
        refuse(
            {
                "`look_back` needs `mode: incremental`": self.look_back is not None and self.way != "incremental",
                "`deleted` needs `mode: incremental` or `whole`": self.deleted is not None and self.way == "append",
                "`parallel` needs an integer column: `parallel_by`": several and not (self.parallel_by or self.cursor),
                "`parallel` works with PostgreSQL only": several and not self.url.startswith("postgres"),
            }
        )
        return self


class CdcSource(SqlDatabase):
    """The changes of a table of PostgreSQL, by logical replication: the table first, then what was done to it."""

    kind: Literal["cdc"]
    url: DatabaseUrl = Field(description="`postgresql://user@host/database`; no password.")
    table: str = Field(description="`name` or `schema.name`.")
    publication: Annotated[str, Field(min_length=1, max_length=63)] | None = Field(
        None, description="Made where it is not there; by default `drivetrain_` and the table. Slots bear its name too."
    )
    columns: tuple[str, ...] = Field((), description="The columns to load; all that are published when none is named.")
    max_changes: Annotated[int, Field(ge=1)] | None = Field(
        None, description="After so many changes a load ends, with the transaction under way."
    )
    gaps: Literal["refuse", "snapshot"] = Field(
        "refuse", description="What to do when changes are lost: `snapshot` reads the whole table anew."
    )
    time_zone: ZoneName = Field("UTC", description="What timestamps without a zone mean, such as `Europe/Madrid`.")
    retry_seconds: Annotated[float, Field(ge=0)] = Field(
        60, description="How long a server that is gone is waited for."
    )
    contract: Contract = Contract()

    @property
    def publication_name(self) -> str:
        """The publication that holds."""
        return self.publication or f"drivetrain_{_plain(self.table)}"[:_NAME]

    @property
    def slot_prefix(self) -> str:
        """What the names of our slots begin with; a slot takes lower case letters, digits and underscores."""
        return f"{_plain(self.publication_name)[: _NAME - 9]}_"

    @property
    def relation(self) -> SqlSource:
        """The table as it is read whole."""
        same = {"url", "user", "password", "table", "time_zone", "timeout_seconds", "retry_seconds", "contract"}
        return SqlSource(kind="sql", mode="whole", **{name: getattr(self, name) for name in same})

    @model_validator(mode="after")
    def _fits(self) -> Self:
        key, columns = set(self.contract.key), set(self.columns)
        refuse(
            {
                "`kind: cdc` reads PostgreSQL; other databases are read by `kind: sql`": not self.url.startswith(
                    "postgres"
                ),
                "changes go to rows by their key: set `key` in the contract (the table's primary key)": not key,
                "`columns` leaves a column of the contract's `key` out": bool(columns) and not key <= columns,
            }
        )
        return self


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", name.lower())
