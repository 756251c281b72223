"""What every client of a Kafka cluster needs: its settings, and errors of ours for those of the library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivetrain.connect.place import Place
from drivetrain.connect.tls import client_context
from drivetrain.core.connections import ClientTls, KafkaBrokers
from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, Transient

if TYPE_CHECKING:
    from confluent_kafka import KafkaError


def settings(brokers: KafkaBrokers, place: Place) -> dict[str, str | int]:
    """How the client library finds the brokers and logs in.

    Raises NotFound for a credential that is not there, InvalidInput for authorities that cannot be read.
    """
    found: dict[str, str | int] = {"bootstrap.servers": ",".join(brokers.brokers), "log_level": 0}
    found |= {"reconnect.backoff.max.ms": 2_000, "client.id": "drivetrain"}
    found["security.protocol"] = ("SASL_" if brokers.sasl else "") + ("SSL" if brokers.tls else "PLAINTEXT")
    if brokers.sasl is not None:
        login = (brokers.sasl.mechanism, brokers.sasl.user, place.secrets.get(brokers.sasl.password))
        found |= dict(zip(("sasl.mechanism", "sasl.username", "sasl.password"), login, strict=True))
    if brokers.tls is not None and brokers.tls.ca is not None:
        client_context(ClientTls(ca=brokers.tls.ca), place.home, "kafka_setting", f"kafka {', '.join(brokers.brokers)}")
        found["ssl.ca.location"] = str(place.home / brokers.tls.ca)
    return found


@dataclass
class Faults:
    """Errors of ours. ``rights`` is what to grant; ``complaint`` what the library said last, before it got no answer.

    A time-out says nothing of its cause; the library's complaint before it does. It goes to ``hear`` (``error_cb``).
    """

    where: str
    rights: str
    complaint: KafkaError | None = None

    def hear(self, error: KafkaError) -> None:
        """The library complains."""
        self.complaint = error

    def of(self, cause: object) -> DrivetrainError:
        """The error for a KafkaError, a KafkaException or a TimeoutError."""
        from confluent_kafka import KafkaError, KafkaException

        if isinstance(cause, TimeoutError):
            return self.silent("no answer in time")
        found: KafkaError = cause.args[0] if isinstance(cause, KafkaException) else cause
        codes, where = {found.code(), self.complaint.code() if self.complaint else None}, self.where
        if codes & {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}:
            hint = "correct `sasl` and the credential that `password` names"
            return Forbidden("kafka_login_refused", "the brokers refuse the login", where=where, hint=hint)
        if codes & {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}:
            what = f"the brokers do not allow it: {found.str()}"
            return Forbidden("kafka_forbidden", what, where=where, hint=f"grant {self.rights}")
        if codes & {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS}:
            hint = "give the source a `group` that nobody else consumes in, or none"
            return InvalidInput("kafka_group_in_use", "others consume in the group", where=where, hint=hint)
        if codes & {KafkaError._INVALID_ARG, KafkaError._SSL, KafkaError._UNSUPPORTED_FEATURE}:
            hint = "correct `brokers`, the login or `tls`"
            return InvalidInput("kafka_setting", f"the settings cannot be used: {found.str()}", where=where, hint=hint)
        return self.silent(found.str())

    def silent(self, what: str) -> Transient:
        """The error for what did not come."""
        said = f" ({self.complaint.str()})" if self.complaint else ""
        hint = "see whether the brokers run, and `brokers` and `tls` are right, then run the same command again"
        return Transient("kafka_unreachable", f"the brokers do not answer: {what}{said}", where=self.where, hint=hint)
