"""The kind ``kafka`` against a real broker: messages, keys, sizes, topics that are not there, brokers that are down."""

import json
import signal
import struct
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer, TopicPartition
from tests.deliver.sending import opened, parcel, words
from tests.servers.kafka import broker, free_port
from tests.servers.schema_registry import schema_registry

from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Transient
from drivetrain.core.outlets.streams import KafkaOutlet
from drivetrain.testing.outlets import COLUMNS, OutletContract


@pytest.fixture(scope="module")
def kafka():
    with broker() as found:
        yield found


@pytest.fixture
def topic(kafka, request):
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    kafka.create(name, 2)
    return name


def spec(kafka, topic, **options):
    return KafkaOutlet.model_validate(
        {"kind": "kafka", "brokers": [kafka.address], "topic": topic, "deadline_seconds": 3, **options}
    )


def messages(kafka, topic):
    """All messages of the topic, by partition and offset."""
    consumer = Consumer({**kafka.settings, "group.id": "tests", "enable.partition.eof": True})
    places = [TopicPartition(topic, number, 0) for number in (0, 1)]
    consumer.assign(places)
    found, ends = [], 0
    while ends < len(places):
        message = consumer.poll(10)
        assert message is not None
        if message.error():
            ends += 1
        else:
            found.append(message)
    consumer.close()
    return found


@contextmanager
def silenced(kafka):
    """Brokers that are there and say nothing, and remember all."""
    kafka.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        kafka.process.send_signal(signal.SIGCONT)


class TestKafka(OutletContract):
    tells_by_key = False

    @pytest.fixture(autouse=True)
    def _there(self, kafka, topic):
        self.kafka, self.topic = kafka, topic

    def make(self, home):
        return spec(self.kafka, self.topic, columns=COLUMNS)

    def received(self, home):
        rows = (json.loads(message.value()) for message in messages(self.kafka, self.topic))
        return [(row["id"], row["word"]) for row in rows]

    def down(self, home):
        return silenced(self.kafka)


def test_a_message_for_each_row_with_its_key(kafka, topic, tmp_path):
    with opened(spec(kafka, topic), tmp_path) as outlet:
        receipts = outlet.send(words(1, 2, 3))
    there = messages(kafka, topic)
    assert {receipt.said for receipt in receipts} == {f"{topic}/{m.partition()} at {m.offset()}" for m in there}
    assert sorted((m.key(), json.loads(m.value())) for m in there) == [
        (b"k%d" % number, {"id": f"k{number}", "word": f"w{number}", "score": number / 8}) for number in (1, 2, 3)
    ]
    assert {m.headers()[0] for m in there} == {("idempotency-key", b"k%d" % number) for number in (1, 2, 3)}


def test_the_key_may_be_a_column_so_that_its_rows_stay_in_order(kafka, topic, tmp_path):
    rows = [{"id": f"k{number}", "customer": number % 3 or None} for number in range(9)]
    with opened(spec(kafka, topic, key="customer"), tmp_path) as outlet:
        outlet.send(parcel(*rows))
    there = messages(kafka, topic)
    by_customer = {}
    for message in there:
        by_customer.setdefault(message.key(), []).append((message.partition(), json.loads(message.value())["id"]))
    assert [number for _, number in by_customer[b"1"]] == ["k1", "k4", "k7"]
    assert len({partition for partition, _ in by_customer[b"1"]}) == 1
    assert len(by_customer[None]) == 3


def test_a_key_that_is_no_column_is_told_before_anything_is_sent(kafka, topic, tmp_path):
    there = spec(kafka, topic, key="custmer")
    with opened(there, tmp_path) as outlet, pytest.raises(InvalidInput, match="custmer") as caught:
        outlet.send(parcel({"customer": 1}))
    assert caught.value.code == "outlet_column_unknown"
    assert messages(kafka, topic) == []


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_a_message_that_is_too_large_is_a_dead_letter(kafka, topic, tmp_path, compression):
    rows = parcel({"id": "a", "word": "x"}, {"id": "b", "word": "x" * 20_000}, {"id": "c", "word": "y"})
    with opened(spec(kafka, topic, max_message_bytes=10_000, compression=compression), tmp_path) as outlet:
        receipts = outlet.send(rows)
    assert [receipt.taken for receipt in receipts] == [True, False, True]
    assert "too large" in receipts[1].said
    assert {json.loads(message.value())["id"] for message in messages(kafka, topic)} == {"a", "c"}


def test_a_topic_that_is_not_there_is_not_made(kafka, tmp_path):
    with opened(spec(kafka, "no-such-topic"), tmp_path) as outlet:
        for ask in (outlet.check, lambda: outlet.send(words(1))):
            with pytest.raises(NotFound, match="no-such-topic") as caught:
                ask()
            assert caught.value.code == "topic_unknown"


def test_brokers_that_do_not_answer(tmp_path):
    there = KafkaOutlet(kind="kafka", brokers=(f"127.0.0.1:{free_port()}",), topic="t", deadline_seconds=1)
    with opened(there, tmp_path) as outlet, pytest.raises(Transient) as caught:
        outlet.send(words(1))
    assert caught.value.code == "kafka_unreachable"


def test_check_says_what_is_there(kafka, topic, tmp_path):
    with opened(spec(kafka, topic), tmp_path) as outlet:
        assert outlet.check() == f"the topic {topic}, with 2 partitions"
    assert messages(kafka, topic) == []


def test_a_login_that_is_refused_says_so_and_not_the_password(tmp_path):
    login = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512"}
    with broker("--authentication", ready=False, settings=login) as closed:
        there = spec(closed, "t", sasl={"user": "mallory", "password": {"env": "WORD"}})
        with opened(there, tmp_path, WORD="warm-sea") as outlet:
            with pytest.raises(Forbidden, match="refuse the login") as caught:
                outlet.send(words(1))
            assert "warm-sea" not in f"{caught.value} {outlet!r}"


def test_avro_by_the_schema_of_the_registry(kafka, topic, tmp_path):
    fields = [{"name": "id", "type": "string"}, {"name": "score", "type": "double"}]
    with schema_registry() as registry:
        registry.register(f"{topic}-value", 7, {"type": "record", "name": "Decision", "fields": fields})
        there = spec(kafka, topic, format="avro", schema_registry={"url": registry.url})
        with opened(there, tmp_path) as outlet:
            outlet.check()
            receipts = outlet.send(
                parcel({"id": "a", "score": 0.5}, {"id": "b", "score": None}, {"id": "c", "score": 1.0})
            )
    assert [receipt.taken for receipt in receipts] == [True, False, True]
    assert "no record of the schema" in receipts[1].said
    assert {message.value() for message in messages(kafka, topic)} == {
        b"\0\0\0\0\x07" + b"\x02a" + struct.pack("<d", 0.5), b"\0\0\0\0\x07" + b"\x02c" + struct.pack("<d", 1.0),
    }  # fmt: skip
