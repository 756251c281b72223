"""What sources that are asked for a table or a query have in common, whichever system answers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.contract import Contract
from drivetrain.core.spec import Spec

SqlMode = Literal["append", "incremental", "whole"]


class QueriedSource(Spec):
    """A table or a query, and how what is new in it is told from what was loaded."""

    table: str | None = Field(None, description="`name` or `schema.name`; or give `query`.")
    query: str | None = Field(None, description="One SELECT, in the words of that database.")
    columns: tuple[str, ...] = Field((), description="The columns to read; all when none is named.")
    mode: SqlMode | None = Field(None, description="`append` where there is a `cursor`, else `whole`.")
    cursor: str | None = Field(None, description="A column that only grows: number, timestamp or text, never NULL.")
    look_back: Annotated[float, Field(gt=0)] | None = Field(
        None, description="How far before the last value late rows are looked for: seconds, or the number's own unit."
    )
    deleted: str | None = Field(None, description="A column or SQL condition that is true where a row was deleted.")
    retry_seconds: Annotated[float, Field(ge=0)] = Field(
        60, description="How long a server that is gone is waited for."
    )
    contract: Contract = Contract()

    @property
    def way(self) -> SqlMode:
        """The mode that holds."""
        return self.mode or ("append" if self.cursor else "whole")

    @model_validator(mode="after")
    def _tells_what_is_new(self) -> Self:
        whole, key = self.way == "whole", self.contract.key
        refuse(
            {
                "give `table` or `query`, one of them": (self.table is None) == (self.query is None),
                f"`mode: {self.way}` needs a `cursor`": not whole and not self.cursor,
                "`mode: whole` takes no `cursor`": whole and bool(self.cursor),
                "without a `cursor` all rows are compared, which needs `key` in the contract": whole and not key,
                "`mode: incremental` needs `key` in the contract": self.way == "incremental" and not key,
                "`columns` leaves a column of the contract's `key` out": bool(self.columns)
                and not set(key) <= set(self.columns),
            }
        )
        return self


def refuse(complaints: dict[str, bool]) -> None:
    """Raises ValueError with the first complaint that is so."""
    for complaint, is_so in complaints.items():
        if is_so:
            raise ValueError(complaint)
