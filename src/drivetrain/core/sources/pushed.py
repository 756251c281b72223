"""Sources that are pushed to us: other systems call, we answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from drivetrain.core.contract import Contract
from drivetrain.core.credentials import SecretRef
from drivetrain.core.spec import Spec

_Secrets = Annotated[tuple[SecretRef, ...], Field(min_length=1)]


class StandardSignature(Spec):
    """Standard Webhooks: HMAC-SHA256 over id, time and body, in `webhook-signature`."""

    kind: Literal["standard"]
    secrets: _Secrets = Field(description="`whsec_...`; several while one is exchanged for another.")
    tolerance_seconds: Annotated[float, Field(gt=0)] = Field(
        300.0, description="How far `webhook-timestamp` may be from our clock: what is older may be a replay."
    )


class GithubSignature(Spec):
    """As GitHub signs: HMAC-SHA256 over the body, in `X-Hub-Signature-256`."""

    kind: Literal["github"]
    secrets: _Secrets = Field(description="Several while one is exchanged for another.")


class CallerToken(Spec):
    """No signature: a secret that the caller sends along, as a bearer token or as an API key. Only over TLS."""

    kind: Literal["token"]
    secrets: _Secrets = Field(description="Several while one is exchanged for another.")
    header: str = Field(
        "Authorization", description="`Authorization: Bearer SECRET`, or another header with the secret."
    )


class ListeningTls(Spec):
    """PEM files for HTTPS; they are read again when they change."""

    certificate: str
    key: str


class WebhookSource(Spec):
    """JSON that other systems send to us over HTTP: kept on disk before it is answered, then loaded."""

    kind: Literal["webhook"]
    listen: Annotated[str, Field(pattern=r"^\S+:[0-9]{1,5}$")] = Field(
        description="`host:port`, such as `0.0.0.0:8443`."
    )
    path: Annotated[str, Field(pattern=r"^/\S*$")] = Field("/", description="Where deliveries are taken.")
    auth: Annotated[StandardSignature | GithubSignature | CallerToken, Field(discriminator="kind")]
    tls: ListeningTls | None = None
    id_header: str | None = Field(
        None,
        description="The header that names a delivery; by default `webhook-id`, `X-GitHub-Delivery`, "
        "or `Idempotency-Key` with a token.",
    )
    id_hours: Annotated[float, Field(gt=0)] = Field(
        24.0, description="For how long a delivery that comes again is known by its id."
    )
    depth: Annotated[int, Field(ge=1, le=10)] = Field(
        3, description="How deep nested objects become columns with dotted names; what is deeper stays JSON."
    )
    metadata: bool = Field(False, description="Columns `webhook_id` and `received_at` as well.")
    max_body_bytes: Annotated[int, Field(ge=1, le=64 << 20)] = 1 << 20
    max_waiting_bytes: Annotated[int, Field(ge=1)] = Field(
        1 << 30, description="While so much waits to be loaded, deliveries are sent away (429)."
    )
    requests_per_second: Annotated[float, Field(gt=0)] | None = Field(
        None, description="More than that are sent away (429)."
    )
    gaps: Literal["refuse", "accept"] = Field(
        "refuse", description="What to do when the inbox of the last load is gone, with what was in it."
    )
    contract: Contract = Contract()

    @property
    def names_by(self) -> str:
        """The header that names a delivery, in lower case."""
        known = {"standard": "webhook-id", "github": "x-github-delivery", "token": "idempotency-key"}
        return (self.id_header or known[self.auth.kind]).lower()
