"""Sources that are databases."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from drivetrain.core.contract import Contract
from drivetrain.core.credentials import SecretRef
from drivetrain.core.database import DatabaseUrl, SqlDatabase
from drivetrain.core.spec import Spec

_NAME = 63  # bytes of a name in PostgreSQL
SqlMode = Literal["append", "incremental", "whole"]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}; they are called like `Europe/Madrid`") from None
    return name


ZoneName = Annotated[str, AfterValidator(_known_zone)]


class SqlSource(SqlDatabase):
    """A table or a query of a database: PostgreSQL, MySQL, MariaDB, SQLite; others by their SQLAlchemy dialect."""

    kind: Literal["sql"]
    table: str | None = Field(None, description="`name` or `schema.name`; or give `query`.")
    query: str | None = Field(None, description="One SELECT, in the words of that database.")
    columns: tuple[str, ...] = Field((), description="The columns to read; all when none is named.")
    mode: SqlMode | None = Field(None, description="`append` where there is a `cursor`, else `whole`.")
    cursor: str | None = Field(None, description="A column that only grows: number, timestamp or text, never NULL.")
    look_back: Annotated[float, Field(gt=0)] | None = Field(
        None, description="How far before the last value late rows are looked for: seconds, or the number's own unit."
    )
    deleted: str | None = Field(None, description="A column or SQL condition that is true where a row was deleted.")
    parallel: Annotated[int, Field(ge=1, le=16)] = Field(1, description="Connections that read at once (PostgreSQL).")
    parallel_by: str | None = Field(
        None, description="The integer column that `parallel` divides; without it `cursor`."
    )
    time_zone: ZoneName = Field("UTC", description="What timestamps without a zone mean, such as `Europe/Madrid`.")
    retry_seconds: Annotated[float, Field(ge=0)] = Field(
        60, description="How long a server that is gone is waited for."
    )
    contract: Contract = Contract()

    @property
    def way(self) -> SqlMode:
        """The mode that holds."""
        return self.mode or ("append" if self.cursor else "whole")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        keyed = bool(self.contract.key)
        wrong = {
            "give `table` or `query`, one of them": (self.table is None) == (self.query is None),
            f"`mode: {self.way}` needs a `cursor`": self.way != "whole" and not self.cursor,
            "`mode: whole` takes no `cursor`": self.way == "whole" and bool(self.cursor),
            "without a `cursor` the whole table is compared, which needs `key` in the contract": self.way == "whole"
            and not keyed,
            "`mode: incremental` needs `key` in the contract": self.way == "incremental" and not keyed,
            "`look_back` needs `mode: incremental`": self.look_back is not None and self.way != "incremental",
            "`deleted` needs `mode: incremental` or `whole`": self.deleted is not None and self.way == "append",
            "`columns` leaves a column of the contract's `key` out": bool(self.columns)
            and not set(self.contract.key) <= set(self.columns),
            "`parallel` needs an integer column: `parallel_by`": self.parallel > 1
            and not (self.parallel_by or self.cursor),
            "`parallel` works with PostgreSQL only": self.parallel > 1 and not self.url.startswith("postgres"),
        }
        for complaint, is_so in wrong.items():
            if is_so:
                raise ValueError(complaint)
        return self


class CdcSource(Spec):
    """The changes of a table of PostgreSQL, by logical replication: the table first, then what was done to it."""

    kind: Literal["cdc"]
    url: DatabaseUrl = Field(description="`postgresql://user@host/database`; no password.")
    user: SecretRef | None = Field(None, description="The user, where `url` does not name one.")
    password: SecretRef | None = None
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
    timeout_seconds: Annotated[float, Field(gt=0)] = Field(3600, description="The longest that one statement may take.")
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
        if not self.url.startswith("postgres"):
            raise ValueError("`kind: cdc` reads PostgreSQL; other databases are read by `kind: sql`")
        if not self.contract.key:
            raise ValueError("changes go to rows by their key: set `key` in the contract (the table's primary key)")
        if self.columns and not set(self.contract.key) <= set(self.columns):
            raise ValueError("`columns` leaves a column of the contract's `key` out")
        return self


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", name.lower())
