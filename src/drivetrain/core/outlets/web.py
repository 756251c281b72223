"""Outlets that are called over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from drivetrain.core.connections import RestAuth
from drivetrain.core.credentials import SecretRef
from drivetrain.core.outlets.outgoing import Outgoing


class WebhookOutlet(Outgoing):
    """Each prediction is posted as JSON to an address, signed as Standard Webhooks say, under a key of its own."""

    kind: Literal["webhook"]
    url: Annotated[str, Field(pattern=r"^https?://[^@\s]+$", description="Where it is posted.")]
    secret: SecretRef | None = Field(
        None, description="Signs every call (HMAC-SHA256): `whsec_` and base64, or any other text, used as it is."
    )
    auth: RestAuth | None = None
    headers: dict[str, str | SecretRef] = Field(default_factory=dict, description="Headers of every call.")
    rows_per_call: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="1: the body is an object; more: a list of up to so many, each with its `idempotency_key`."
    )
    requests_per_second: Annotated[float, Field(gt=0)] | None = None
    connect_seconds: Annotated[float, Field(gt=0)] = 10.0
    read_seconds: Annotated[float, Field(gt=0)] = Field(30.0, description="A silence of so long is a fault.")
    ca: str | None = Field(None, description="PEM file of the authority that signed the service's certificate.")

    @property
    def parcel_rows(self) -> int:
        """Few at a time where each row is a call: what was taken is written down with the parcel."""
        return max(100, self.rows_per_call)
