"""Sources that are data warehouses."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from drivetrain.core.credentials import SecretRef
from drivetrain.core.sources.queried import QueriedSource, refuse

_TABLE = r"^([a-z0-9:.-]+[.])?[\w$-]+[.][^.`\\]+$"


def _endpoint(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("an endpoint starts with https://, or http:// within this machine's network")
    return url.rstrip("/")


class BigQuerySource(QueriedSource):
    """A table or a query of Google BigQuery, with what it will cost known before it runs."""

    kind: Literal["bigquery"]
    project: str = Field(description="The project that pays for the query.")
    table: Annotated[str, Field(pattern=_TABLE)] | None = Field(
        None, description="`dataset.table`, or `project.dataset.table` of another one; or give `query`."
    )
    columns: tuple[Annotated[str, Field(pattern=r"^[^`\\]+$")], ...] = Field(
        (), description="The columns to read; all when none is named. Fewer cost less."
    )
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

    @model_validator(mode="after")
    def _fits(self) -> Self:
        read = {name for name in (self.cursor, self.deleted) if name}
        bare = any(url.startswith("http://") for url in (self.endpoint, self.storage_endpoint))
        refuse(
            {
                "`look_back` needs a `cursor`": self.look_back is not None and not self.cursor,
                "`deleted` needs `mode: incremental`": self.deleted is not None and self.way != "incremental",
                "`columns` leaves the `cursor` or `deleted` out": bool(self.columns) and not read <= set(self.columns),
                "`as_of` needs a `table`; a query says FOR SYSTEM_TIME AS OF itself": self.as_of is not None
                and self.table is None,
                "give `service_account` or `token`, one of them": bool(self.service_account and self.token),
                "an endpoint speaks HTTP without TLS; agree with `allow_http: true`": bare and not self.allow_http,
            }
        )
        return self
