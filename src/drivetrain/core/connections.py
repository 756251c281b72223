"""How this product finds and logs in to other systems: what sources that read them and outlets that write share."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.credentials import SecretRef
from drivetrain.core.spec import Spec

BrokerAddress = Annotated[str, Field(pattern=r"^([^@/:\s]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$")]
"""host or host:port."""
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


class ClientTls(Spec):
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

    broker: BrokerAddress = Field(description="host or host:port; by default port 1883, or 8883 with `tls`.")
    protocol: Literal[5, "3.1.1"] = Field(5, description="Version of MQTT.")
    user: str | None = None
    password: SecretRef | None = None
    tls: ClientTls | None = None

    @model_validator(mode="after")
    def _whose_password(self) -> Self:
        if self.password is not None and self.user is None:
            raise ValueError("`password` needs `user`")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return _host_and_port(self.broker, 8883 if self.tls else 1883)


class NatsServers(Spec):
    """Servers of a NATS cluster."""

    servers: Annotated[tuple[BrokerAddress, ...], Field(min_length=1)] = Field(
        description="host or host:port of some servers of the cluster; by default port 4222."
    )
    user: str | None = None
    password: SecretRef | None = None
    token: SecretRef | None = Field(None, description="Instead of user and password.")
    tls: ClientTls | None = None

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("`user` and `password` go together")
        if self.token is not None and self.user is not None:
            raise ValueError("a login is `user` and `password`, or `token`")
        return self

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Hosts and ports."""
        return tuple(_host_and_port(server, 4222) for server in self.servers)


class AmqpBroker(Spec):
    """A broker of AMQP 0-9-1, such as RabbitMQ."""

    broker: BrokerAddress = Field(description="host or host:port; by default port 5672, or 5671 with `tls`.")
    virtual_host: str = "/"
    user: str = "guest"
    password: SecretRef | None = Field(None, description="By default `guest`, whom brokers let in from their own host.")
    tls: ClientTls | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return _host_and_port(self.broker, 5671 if self.tls else 5672)


def _host_and_port(address: str, default: int) -> tuple[str, int]:
    """IPv6 addresses without their brackets."""
    host, colon, port = address.rpartition(":") if not address.endswith("]") else (address, "", "")
    if not colon:
        host, port = address, str(default)
    return host.strip("[]"), int(port)
