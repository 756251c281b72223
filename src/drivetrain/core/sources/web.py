"""Sources that answer over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.connections import RestAuth
from drivetrain.core.contract import Contract
from drivetrain.core.credentials import SecretRef
from drivetrain.core.schema import MomentFormat
from drivetrain.core.spec import Spec

Value = str | int | float | bool | SecretRef


class PagePaging(Spec):
    """Pages by number. It ends with a page without rows, or as `total`, `more` or `end_status` say."""

    kind: Literal["page"]
    parameter: str = "page"
    first: int = 1
    size_parameter: str = "per_page"
    size: Annotated[int, Field(gt=0)] | None = None
    total: str | None = Field(None, description="Path in the answer: how many rows there are in all.")
    more: str | None = Field(None, description="Path in the answer: true while there are more pages.")
    end_status: int | None = Field(None, description="Status of the answer beyond the last page, such as 404.")


class OffsetPaging(Spec):
    """Pages by how many rows were given so far. It ends as pages by number do."""

    kind: Literal["offset"]
    parameter: str = "offset"
    first: int = 0
    size_parameter: str = "limit"
    size: Annotated[int, Field(gt=0)] | None = None
    total: str | None = Field(None, description="Path in the answer: how many rows there are in all.")
    more: str | None = Field(None, description="Path in the answer: true while there are more pages.")
    end_status: int | None = Field(None, description="Status of the answer beyond the last page, such as 404.")


class CursorPaging(Spec):
    """Each answer holds what to send for the next page."""

    kind: Literal["cursor"]
    next: str = Field(description="Path in the answer to the next cursor; nothing there: the last page.")
    parameter: str = "cursor"
    more: str | None = Field(None, description="Path in the answer: true while there are more pages.")


class TokenPaging(Spec):
    """Each answer has a header with what to send for the next page."""

    kind: Literal["token"]
    header: str = Field(description="Header of the answer with the next token; not there: the last page.")
    parameter: str | None = Field(None, description="Query parameter to send it in.")
    send_header: str | None = Field(None, description="Header to send it in instead.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.parameter is None) == (self.send_header is None):
            raise ValueError("the token goes into a `parameter` or into a header (`send_header`), one of them")
        return self


class LinkPaging(Spec):
    """Each answer has a `Link` header with the address of the next page (RFC 8288, `rel="next"`)."""

    kind: Literal["link"]


class NextUrlPaging(Spec):
    """Each answer holds the address of the next page."""

    kind: Literal["next_url"]
    next: str = Field(description="Path in the answer to the address; nothing there: the last page.")
    end: str | None = Field(None, description="Path in the answer: true at the last page.")


Paging = Annotated[
    PagePaging | OffsetPaging | CursorPaging | TokenPaging | LinkPaging | NextUrlPaging, Field(discriminator="kind")
]


class Incremental(Spec):
    """Ask only for what changed since the last load."""

    param: str = Field(description="Query parameter that takes the largest value seen so far.")
    field: str = Field(description="Column with that value, such as `updated_at` or `meta.changed`; all rows have it.")
    format: MomentFormat = Field(
        "iso", description="ISO 8601, seconds or milliseconds since 1970; or a number that grows, such as an id."
    )
    start: str | None = Field(None, description="What the first load sends; nothing when not given.")
    template: str = Field("{since}", description="What `param` takes, such as `updated >= '{since}'`.")
    written: str | None = Field(None, description="How a time is written there, as strftime says; in UTC.")
    look_back_seconds: Annotated[int, Field(ge=0)] = Field(
        0, description="Ask again for so much, because rows may appear late; known ones are not loaded twice."
    )

    @model_validator(mode="after")
    def _times_only(self) -> Self:
        if self.look_back_seconds and self.format == "number":
            raise ValueError("`look_back_seconds` needs a field that is a time, not `format: number`")
        return self


class RestSource(Spec):
    """Rows from a JSON (or CSV, or JSON lines) answer over HTTP, page by page."""

    kind: Literal["rest"]
    url: str = Field(description="Where the service is: `https://HOST/PATH`, without a query.")
    path: str = Field("", description="Added to `url`; it names the portion in quarantine.")
    params: dict[str, Value] = Field(default_factory=dict, description="Query parameters of the first page.")
    headers: dict[str, str | SecretRef] = Field(default_factory=dict, description="Headers of every request.")
    auth: RestAuth | None = None
    records: str = Field("", description="Dotted path in the answer to the list of rows; empty: the answer itself.")
    format: Literal["auto", "json", "jsonl", "csv"] = Field("auto", description="By `Content-Type` when auto.")
    paging: Paging | None = None
    incremental: Incremental | None = None
    deleted: str | None = Field(None, description="Column that marks rows as gone; needs `incremental` and a `key`.")
    deleted_value: str | None = Field(
        None, description="The value that marks them; any but empty, `0`, `false` and `no` when not given."
    )
    explode: str | None = Field(None, description="Path in a row to a list: one row for each of its items.")
    depth: Annotated[int, Field(ge=1, le=10)] = Field(
        3, description="How deep nested objects become columns with dotted names; what is deeper stays JSON."
    )
    requests_per_second: Annotated[float, Field(gt=0)] | None = None
    connect_seconds: Annotated[float, Field(gt=0)] = 10.0
    read_seconds: Annotated[float, Field(gt=0)] = Field(60.0, description="A silence of so long is a fault.")
    deadline_seconds: Annotated[float, Field(ge=0)] = Field(
        300.0, description="How long one page may take, with all tries that faults and `Retry-After` ask for."
    )
    max_pages: Annotated[int, Field(gt=0)] = 100_000
    max_answer_mb: Annotated[float, Field(gt=0)] = Field(64.0, description="The largest answer, decompressed.")
    origins: tuple[str, ...] = Field((), description="Other `https://HOST` that a next page may be at.")
    ca: str | None = Field(None, description="PEM file of the authority that signed the service's certificate.")
    contract: Contract = Contract()

    @model_validator(mode="after")
    def _deletes_need_a_key(self) -> Self:
        if self.deleted is not None and not (self.contract.key and self.incremental):
            raise ValueError("`deleted` needs `incremental` and a contract with a `key`")
        return self
