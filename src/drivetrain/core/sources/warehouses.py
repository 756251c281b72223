"""Sources that are data warehouses."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from drivetrain.core.contract import Contract
from drivetrain.core.credentials import SecretRef
from drivetrain.core.sources.databases import SqlMode
from drivetrain.core.spec import Spec

_TABLE = r"^([a-z0-9:.-]+[.])?[\w$-]+[.][^.`\\]+$"


def _endpoint(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("an endpoint starts with https://, or http:// within this machine's network")
    return url.rstrip("/")


class BigQuerySource(Spec):
    """A table or a query of Google BigQuery, with what it will cost known before it runs."""

    kind: Literal["bigquery"]
    project: str = Field(description="The project that pays for the query.")
    table: Annotated[str, Field(pattern=_TABLE)] | None = Field(
        None, description="`dataset.table`, or `project.dataset.table` of another one; or give `query`."
    )
    query: str | None = Field(None, description="One SELECT in GoogleSQL.")
    columns: tuple[Annotated[str, Field(pattern=r"^[^`\\]+$")], ...] = Field(
        (), description="The columns to read; all when none is named. Fewer cost less."
    )
    mode: SqlMode | None = Field(None, description="`append` where there is a `cursor`, else `whole`.")
    cursor: Annotated[str, Field(pattern=r"^[^`\\]+$")] | None = Field(
        None, description="A column that only grows: number, date or timestamp, never NULL."
    )
    look_back: Annotated[int, Field(gt=0)] | None = Field(
        None, description="How many seconds before the last value late rows are looked for."
    )
    deleted: str | None = Field(None, description="A column that is true, or not NULL, where a row was deleted.")
    as_of: AwareDatetime | None = Field(None, description="The table as it was then, up to seven days ago.")
    depth: Annotated[int, Field(ge=1, le=10)] = Field(
        3, description="How deep records become columns with dotted names; what is deeper stays JSON."
    )
    max_gb: Annotated[float, Field(gt=0)] = Field(
        100.0, description="A load that would read more is refused before it runs (10^9 bytes)."
    )
    location: str | None = Field(None, description="Where the data is, such as `EU`; found out when not given.")
    read_by: Literal["auto", "arrow", "rest"] = Field(
        "auto", description="Results as Arrow by the Storage Read API, or as JSON; `auto`: Arrow where it is allowed."
    )
    service_account: SecretRef | None = Field(None, description="The key of a service account (JSON).")
    token: SecretRef | None = Field(None, description="An access token that somebody else gave out.")
    endpoint: Annotated[str, AfterValidator(_endpoint)] = "https://bigquery.googleapis.com"
    storage_endpoint: Annotated[str, AfterValidator(_endpoint)] = "https://bigquerystorage.googleapis.com"
    allow_http: bool = Field(False, description="Speak without TLS to `http://` endpoints, as emulators have them.")
    timeout_seconds: Annotated[float, Field(gt=0)] = Field(3600, description="The longest that the query may take.")
    retry_seconds: Annotated[float, Field(ge=0)] = Field(
        60, description="How long a service that is gone is waited for."
    )
    contract: Contract = Contract()

    @property
    def way(self) -> SqlMode:
        """The mode that holds."""
        return self.mode or ("append" if self.cursor else "whole")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        keyed, key = bool(self.contract.key), set(self.contract.key)
        needed = key | ({self.cursor} if self.cursor else set()) | ({self.deleted} if self.deleted else set())
        bare = any(url.startswith("http://") for url in (self.endpoint, self.storage_endpoint))
        wrong = {
            "give `table` or `query`, one of them": (self.table is None) == (self.query is None),
            f"`mode: {self.way}` needs a `cursor`": self.way != "whole" and not self.cursor,
            "`mode: whole` takes no `cursor`": self.way == "whole" and bool(self.cursor),
            "without a `cursor` all rows are compared, which needs `key` in the contract": self.way == "whole"
            and not keyed,
            "`mode: incremental` needs `key` in the contract": self.way == "incremental" and not keyed,
            "`look_back` needs a `cursor`": self.look_back is not None and not self.cursor,
            "`deleted` needs `mode: incremental`": self.deleted is not None and self.way != "incremental",
            "`columns` leaves out a column of the `key`, the `cursor` or `deleted`": bool(self.columns)
            and not needed <= set(self.columns),
            "`as_of` needs a `table`; a query says FOR SYSTEM_TIME AS OF itself": self.as_of is not None
            and self.table is None,
            "give `service_account` or `token`, one of them": bool(self.service_account and self.token),
            "an endpoint speaks HTTP without TLS; agree with `allow_http: true`": bare and not self.allow_http,
        }
        for complaint, is_so in wrong.items():
            if is_so:
                raise ValueError(complaint)
        return self
