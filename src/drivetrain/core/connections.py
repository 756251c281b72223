"""How this product finds and logs in to other systems: what sources that read them and outlets that write share."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.credentials import SecretRef
from drivetrain.core.spec import Spec

CrmSystem = Literal["dynamics", "hubspot", "jira", "salesforce", "servicenow", "zendesk"]


class KeyAuth(Spec):
    """An API key, in a header or in the query."""

    kind: Literal["key"]
    key: SecretRef
    header: str | None = Field(None, description="The header that carries it, such as `X-API-Key`.")
    parameter: str | None = Field(None, description="The query parameter that carries it instead.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.header is None) == (self.parameter is None):
            raise ValueError("an API key goes into a `header` or into a `parameter`, one of them")
        return self


class BasicAuth(Spec):
    """A user name and a password."""

    kind: Literal["basic"]
    user: str | SecretRef
    password: SecretRef


class BearerAuth(Spec):
    """A token that somebody else gave out."""

    kind: Literal["bearer"]
    token: SecretRef


class OAuth2(Spec):
    """OAuth 2 client credentials: a token is asked for, used until it expires, and asked for again."""

    kind: Literal["oauth2"]
    token_url: str
    client_id: str | SecretRef
    client_secret: SecretRef
    scope: str | None = None
    audience: str | None = None
    send: Literal["header", "body"] = Field("header", description="Where the token service looks for the client.")


RestAuth = Annotated[KeyAuth | BasicAuth | BearerAuth | OAuth2, Field(discriminator="kind")]


class SchemaRegistry(Spec):
    """Where the schemas of Avro and Protobuf messages are (Confluent's interface: magic byte and schema id)."""

    url: Annotated[str, Field(pattern=r"^https?://[^@]+$")]
    user: str | None = None
    password: SecretRef | None = None


class Sasl(Spec):
    """A login with user and password."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    user: str
    password: SecretRef


class Tls(Spec):
    """An encrypted connection."""

    ca: str | None = Field(None, description="File with the authorities to trust; by default the system's.")


class KafkaBrokers(Spec):
    """A Kafka cluster."""

    brokers: Annotated[tuple[str, ...], Field(min_length=1, description="host:port of some brokers.")]
    sasl: Sasl | None = None
    tls: Tls | None = None


class MqttTls(Spec):
    """An encrypted connection. The broker's certificate is always checked."""

    ca: str | None = Field(None, description="PEM file with the authorities to trust; by default the system's.")
    certificate: str | None = Field(None, description="PEM file of our own certificate, where the broker wants one.")
    key: str | None = Field(None, description="PEM file with the private key of `certificate`.")

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("`certificate` and `key` go together")
        return self


class MqttBroker(Spec):
    """An MQTT broker."""

    broker: Annotated[str, Field(pattern=r"^([^@/:\s]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$")] = Field(
        description="host or host:port; by default port 1883, or 8883 with `tls`."
    )
    protocol: Literal[5, "3.1.1"] = Field(5, description="Version of MQTT.")
    user: str | None = None
    password: SecretRef | None = None
    tls: MqttTls | None = None

    @model_validator(mode="after")
    def _whose_password(self) -> Self:
        if self.password is not None and self.user is None:
            raise ValueError("`password` needs `user`")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, colon, port = self.broker.rpartition(":") if not self.broker.endswith("]") else (self.broker, "", "")
        if not colon:
            host, port = self.broker, "8883" if self.tls else "1883"
        return host.strip("[]"), int(port)
