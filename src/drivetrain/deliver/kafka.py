"""The kind ``kafka``: each row is a message, acknowledged by all replicas in sync before its receipt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING

from drivetrain.connect.kafka import Faults, settings
from drivetrain.connect.place import Place
from drivetrain.connect.schema_registry import Registry
from drivetrain.core.errors import MissingExtra, NotFound, examples
from drivetrain.core.outlets.streams import KafkaOutlet as KafkaSpec
from drivetrain.deliver.avro_rows import AvroRows, UnfitError
from drivetrain.deliver.json_rows import as_json, as_text, rows_of
from drivetrain.deliver.outlet import Parcel, Receipt
from drivetrain.deliver.templates import known_column

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

_LEAST, _MOST = 3.0, 15.0  # seconds for a parcel; whoever sends tries again for as long as the project file says
_HEADER = "idempotency-key"
_WHOLE = {"enable.idempotence": True, "acks": "all", "linger.ms": 5}


class KafkaOutlet:
    """An Outlet that is a topic."""

    def __init__(self, spec: KafkaSpec, place: Place) -> None:
        self._spec, self._place = spec, place
        rights = f"WRITE and DESCRIBE on the topic {spec.topic}, and IDEMPOTENT_WRITE where the brokers ask for it"
        self._faults = Faults(f"kafka {', '.join(spec.brokers)}, topic {spec.topic}", rights)
        self._patience = max(_LEAST, min(_MOST, spec.deadline_seconds))
        self._producer: Producer | None = None
        self._avro: AvroRows | None = None
        if spec.schema_registry is not None:
            registry = Registry(spec.schema_registry, place.secrets, 0)
            self._avro = AvroRows(registry, spec.subject or f"{spec.topic}-value")

    def check(self) -> str:
        """Ask for the topics, and the registry for its schema. Raises NotFound, and what ``send`` raises."""
        producer = self._open()
        from confluent_kafka import KafkaException

        try:
            found = producer.list_topics(timeout=self._patience).topics  # to ask for this one might make it
        except KafkaException as error:
            self.close()
            raise self._faults.of(error) from None
        if self._spec.topic not in found:
            self.close()
            raise self._unknown(list(found))
        if self._avro is not None:
            self._avro.learn()
        return f"the topic {self._spec.topic}, with {len(found[self._spec.topic].partitions)} partitions"

    def send(self, parcel: Parcel) -> tuple[Receipt, ...]:
        """A receipt for each row: where its message is, or why it can be none.

        Raises Transient, Forbidden, NotFound for a topic that is not there, InvalidInput for a wrong setting.
        """
        if self._producer is None:
            self.check()
        messages, receipts = self._messages(parcel)
        try:
            told = self._flushed(messages)
            if len(messages) > 1:  # brokers refuse what left together for its size in sum
                told |= {at: self._flushed({at: messages[at]})[at] for at in told if not told[at].taken}
        except BaseException:
            self.close()  # what is on its way is nobody's any more; a new connection begins from nothing
            raise
        self._faults.complaint = None
        receipts |= told
        return tuple(receipts[at] for at in sorted(receipts))

    def close(self) -> None:
        """Let go of the connection."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(0)
            self._producer = None

    def _open(self) -> Producer:
        try:
            from confluent_kafka import KafkaException, Producer
        except ImportError:
            raise MissingExtra("confluent-kafka", "kafka") from None
        if self._producer is None:
            ours: dict[str, object] = {
                "message.timeout.ms": int(self._patience * 1000), "message.max.bytes": self._spec.max_message_bytes,
                "compression.type": self._spec.compression, "error_cb": self._faults.hear,
            }  # fmt: skip
            try:
                self._producer = Producer({**settings(self._spec, self._place), **_WHOLE, **ours})
            except KafkaException as error:
                raise self._faults.of(error) from None
        return self._producer

    def _messages(self, parcel: Parcel) -> tuple[dict[int, _Outgoing], dict[int, Receipt]]:
        """The messages by position, and the receipts of rows that can be none."""
        columns, messages, refused = parcel.rows.column_names, dict[int, _Outgoing](), dict[int, Receipt]()
        named: Sequence[object] = parcel.keys
        if self._spec.key is not None:
            named = parcel.rows.column(known_column(self._spec.key, columns, "key")).to_pylist()
        if self._avro is not None:
            self._avro.check(columns)
        for at, (row, key, ours) in enumerate(zip(rows_of(parcel), named, parcel.keys, strict=True)):
            try:
                content = as_json(row) if self._avro is None else self._avro.encode(row)
            except UnfitError as error:
                refused[at] = Receipt(False, str(error))
            else:
                messages[at] = (None if key is None else as_text(key).encode(), content, ours)
        return messages, refused

    def _flushed(self, messages: Mapping[int, _Outgoing]) -> dict[int, Receipt]:
        """Send messages; wait until each was acknowledged or refused."""
        from confluent_kafka import KafkaException

        producer = self._open()
        answers: dict[int, Receipt | KafkaError] = {}
        for at, (key, body, ours) in messages.items():

            def hear(error: KafkaError | None, message: Message, at: int = at) -> None:
                place = f"{message.topic()}/{message.partition()} at {message.offset()}"
                answers[at] = Receipt(True, place) if error is None else error

            try:
                producer.produce(self._spec.topic, body, key, headers={_HEADER: ours}, on_delivery=hear)
            except KafkaException as error:
                answers[at] = error.args[0]
            except BufferError as error:
                raise self._faults.silent(str(error)) from None
        until = monotonic() + 2 * self._patience
        while len(answers) < len(messages) and monotonic() < until:
            producer.poll(0.2)
        if len(answers) < len(messages):
            raise self._faults.silent(f"{len(messages) - len(answers)} messages were not acknowledged in time")
        return {at: self._receipt(answer) for at, answer in answers.items()}

    def _receipt(self, answer: Receipt | KafkaError) -> Receipt:
        """What an answer means for its row. Raises the error of ours for what is no row's fault."""
        from confluent_kafka import KafkaError

        if isinstance(answer, Receipt):
            return answer
        if answer.code() in {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.INVALID_MSG}:
            return Receipt(False, answer.str())
        if answer.code() in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}:
            raise self._unknown([])
        raise self._faults.of(answer)

    def _unknown(self, there: Sequence[str]) -> NotFound:
        hint = f"topics: {examples(sorted(there), 20) or 'none'}; correct `topic`, or create it at the brokers"
        what = f"there is no topic {self._spec.topic!r}"
        return NotFound("topic_unknown", what, where=self._faults.where, hint=hint)


_Outgoing = tuple[bytes | None, bytes, str]
"""A message: its key, its content, and the key of its row."""
