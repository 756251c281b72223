"""The contract of a Reader, kept by a topic; and what is particular to Kafka, against a real broker."""

import json
import signal
import threading
from dataclasses import replace
from io import BytesIO

import fastavro
import pytest
from confluent_kafka import Consumer, TopicPartition
from google.protobuf import descriptor_pb2
from tests.servers.kafka import broker, free_port
from tests.servers.schema_registry import schema_registry

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.credentials import SecretRef
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Refused, Transient
from drivetrain.core.sources.streams import KafkaSource
from drivetrain.ingest.ingest import ingest_from
from drivetrain.ingest.kafka import KafkaReader
from drivetrain.ingest.reading import Batch, Position
from drivetrain.store.catalog import Catalog
from drivetrain.store.files.batches import Change
from drivetrain.store.tables import Table
from drivetrain.testing.readers import ReaderContract


@pytest.fixture(scope="module")
def kafka():
    with broker() as found:
        yield found


@pytest.fixture
def topic(kafka, request):
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    kafka.create(name, 2)
    return name


@pytest.fixture
def make(kafka, topic, tmp_path):
    """``make(**options)``: a reader of this test's topic."""
    made = []

    def open_one(**options):
        options = {"kind": "kafka", "brokers": [kafka.address], "topics": [topic], "timeout_seconds": 5, **options}
        made.append(KafkaReader(KafkaSource.model_validate(options), Place(tmp_path, tmp_path / "cache")))
        return made[-1]

    yield open_one
    for reader in made:
        reader.close()


def words(*numbers):
    return [json.dumps({"id": number, "word": f"w{number}"}) for number in numbers]


def taken(reader, cursor=""):
    """The batches, the rows, and the cursor after them."""
    items = list(reader.read(cursor))
    batches = [item for item in items if isinstance(item, Batch)]
    positions = [item for item in items if isinstance(item, Position)]
    rows = [row for batch in batches for row in batch.rows.to_pylist()]
    return batches, rows, positions[-1].cursor if positions else cursor


def ids(rows):
    return [int(row["id"]) for row in rows]


class TestTopic(ReaderContract):
    @pytest.fixture(autouse=True)
    def _there(self, kafka, topic):
        self.kafka, self.topic = kafka, topic

    def make(self, home, rows):
        self.kafka.send(self.topic, *(json.dumps({"id": number, "word": word}) for number, word in rows))
        return KafkaSource(
            kind="kafka", brokers=(self.kafka.address,), topics=(self.topic,), group="lag", timeout_seconds=5
        )

    def add(self, home, rows):
        return self.make(home, rows)

    def remove(self, home):
        self.kafka.delete(self.topic)


def test_each_partition_is_read_from_where_it_ended(kafka, topic, make):
    kafka.send(topic, *words(1, 2))
    kafka.send(topic, *words(11), partition=1)
    batches, rows, cursor = taken(make())
    assert (ids(rows), [batch.portion for batch in batches]) == ([1, 2, 11], [f"{topic}/0", f"{topic}/1"])
    kafka.send(topic, *words(12), partition=1)
    batches, rows, cursor = taken(make(), cursor)
    assert (ids(rows), batches[0].numbers.to_pylist(), batches[0].done) == ([12], [2], 4)


def test_a_partition_or_topic_that_is_new_is_read_from_its_beginning(kafka, topic, make):
    kafka.send(topic, *words(1))
    kafka.send(topic, *words(11), partition=1)
    reader = make(topics=[f"^{topic}"], start="latest")
    assert taken(reader)[1] == []
    kafka.send(topic, *words(2))
    _, rows, cursor = taken(reader)
    assert ids(rows) == [2]
    kafka.create(f"{topic}-more")
    kafka.send(f"{topic}-more", *words(21))
    _, rows, cursor = taken(reader, cursor)
    assert ids(rows) == [21]
    assert taken(reader, cursor)[1] == []


def test_a_load_takes_its_share_of_every_partition(kafka, topic, make):
    kafka.send(topic, *words(*range(10)))
    kafka.send(topic, *words(*range(100, 103)), partition=1)
    reader, cursor, loads = make(max_rows=4), "", []
    for _ in range(4):
        _, rows, cursor = taken(reader, cursor)
        loads.append(ids(rows))
    assert loads == [[0, 1, 100, 101], [2, 3, 102], [4, 5, 6, 7], [8, 9]]


def test_what_came_before_the_first_contact_is_passed_over_on_wish(kafka, topic, make):
    kafka.send(topic, *words(1, 2))
    assert taken(make(start="latest"))[1:] == ([], "")
    kafka.send(topic, *words(3))
    _, rows, cursor = taken(make(start="latest"))
    assert ids(rows) == [3]
    kafka.send(topic, *words(4))
    assert ids(taken(make(start="latest"), cursor)[1]) == [4]


def test_nested_values_become_columns(kafka, topic, make):
    kafka.send(topic, '{"a": {"b": {"c": {"d": 1}}, "x": true}, "l": [1, {"y": 2}], "n": null, "t": "1.50", "f": 1.5}')
    (row,) = taken(make())[1]
    assert row == {"a.b.c": '{"d":1}', "a.x": "true", "l": '[1,{"y":2}]', "n": None, "t": "1.50", "f": "1.5"}
    assert taken(make(depth=1))[1][0]["a"] == '{"b":{"c":{"d":1}},"x":true}'


def test_the_envelope_of_a_message_on_wish(kafka, topic, make):
    kafka.send(topic, ("k", '{"id": 1}', ("trace", b"abc"), ("raw", b"\xff")))
    (batch,), (row,), _ = taken(make(metadata=True))
    assert row["kafka_timestamp"].startswith("20")
    assert {name: row[name] for name in row if name != "kafka_timestamp"} == {
        "id": "1", "kafka_topic": topic, "kafka_partition": "0", "kafka_offset": "0", "kafka_key": "k",
        "kafka_headers": '[["trace","abc"],["raw","/w=="]]',
    }  # fmt: skip
    assert {column.name: str(column.type) for column in batch.declared.columns}["kafka_offset"] == "integer"


def test_a_message_that_cannot_be_taken_apart_is_a_bad_row_with_its_offset(kafka, topic, make):
    bad = ["{", "[1]", b"\xff\xfe", "{}", '{"ID": 7}', '{"drivetrain_row": 1}', '{"id": 1}{"id": 2}']
    kafka.send(topic, '{"id": 1}', *bad, b'\0\0\0\0\x07{"id": 2}')
    (batch,), rows, _ = taken(make())
    assert ids(rows) == [1, 2]
    assert [row.number for row in batch.broken] == [2, 3, 4, 5, 6, 7, 8]
    assert all(row.reason.startswith(f"offset {row.number - 1}: ") for row in batch.broken)
    assert "called 'id' in other messages" in batch.broken[4].reason


def test_text_is_one_column(kafka, topic, make):
    kafka.send(topic, "one\ntwo", b"\xff")
    (batch,), rows, _ = taken(make(format="text"))
    assert (rows, len(batch.broken)) == ([{"value": "one\ntwo"}], 1)


def test_a_message_without_a_value_drops_its_key_and_later_ones_put_it_again(kafka, topic, make):
    kafka.send(topic, ("1", '{"id": 1}'), ("2", '{"id": 2}'), ("1", None), ('{"id": 2}', None), ("1", '{"id": 1}'))
    batches, _, _ = taken(make(upserts=True, contract={"key": ["id"]}))
    assert [(batch.change, batch.rows.to_pylist(), batch.numbers.to_pylist()) for batch in batches] == [
        (Change.PUT, [{"id": "1"}, {"id": "2"}], [1, 2]),
        (Change.DROP, [{"id": "1"}, {"id": "2"}], [3, 4]),
        (Change.PUT, [{"id": "1"}], [5]),
    ]


def test_a_message_without_a_value_needs_a_key_and_upserts(kafka, topic, make):
    kafka.send(topic, ("1", None), (None, None))
    (batch,), rows, _ = taken(make(contract={"key": ["id"]}))
    assert (rows, len(batch.broken)) == ([], 2)
    assert "needs a key, and `upserts: true`" in batch.broken[0].reason
    (batch, gone), _, _ = taken(make(upserts=True, contract={"key": ["id"]}))
    assert (len(batch.broken), gone.rows.to_pylist()) == (1, [{"id": "1"}])
    (batch,), _, _ = taken(make(upserts=True, contract={"key": ["id", "part"]}))
    assert "lacks a column" in batch.broken[0].reason


def test_a_topic_made_anew_is_refused_until_that_is_accepted(kafka, topic, make):
    kafka.send(topic, *words(1, 2))
    cursor = taken(make())[2]
    kafka.delete(topic)
    kafka.create(topic, 2)
    kafka.send(topic, *words(7, 8, 9))
    with pytest.raises(Refused, match="made anew") as caught:
        taken(make(), cursor)
    assert "gaps: accept" in caught.value.hint
    _, rows, cursor = taken(make(gaps="accept"), cursor)
    assert ids(rows) == [7, 8, 9]
    assert taken(make(), cursor)[1] == []


def cut(extent):
    """What a broker says that deleted the first four records; tansu deletes none."""
    return replace(extent, low=min(4, extent.high))


def test_messages_that_were_deleted_before_they_were_loaded_are_counted(kafka, topic, make, monkeypatch):
    kafka.send(topic, *words(*range(6)))
    reader = make(max_rows=2)
    cursor = taken(reader)[2]
    seen = reader._open().extents
    monkeypatch.setattr(reader._cluster, "extents", lambda: {one: cut(extent) for one, extent in seen().items()})
    with pytest.raises(Refused, match=r"offsets 2 to 3 \(2 messages\) were deleted"):
        taken(reader, cursor)
    reader._spec = reader._spec.model_copy(update={"gaps": "accept"})
    assert ids(taken(reader, cursor)[1]) == [4, 5]


def test_the_offsets_of_the_group_follow_and_do_not_lead(kafka, topic, make):
    kafka.send(topic, *words(1, 2, 3))
    reader = make(group=f"g-{topic}")
    cursor = taken(reader)[2]
    other = Consumer({**kafka.settings, "group.id": f"g-{topic}", "enable.auto.commit": False})
    try:
        assert other.committed([TopicPartition(topic, 0)], timeout=10)[0].offset < 0
        reader.commit(cursor)
        reader.commit(cursor)
        assert other.committed([TopicPartition(topic, 0)], timeout=10)[0].offset == 3
    finally:
        other.close()
    assert ids(taken(make(group=f"g-{topic}"))[1]) == [1, 2, 3]


def test_consumers_that_join_the_group_take_nothing_away(kafka, topic, make):
    kafka.send(topic, *words(*range(3000)))
    other = Consumer({**kafka.settings, "group.id": f"g-{topic}", "auto.offset.reset": "earliest"})
    other.subscribe([topic])
    try:
        reading = make(group=f"g-{topic}").read("")
        first = next(reading)
        other.poll(0.5)
        rows = [row for item in [first, *reading] if isinstance(item, Batch) for row in item.rows.to_pylist()]
    finally:
        other.close()
    assert ids(rows) == list(range(3000))


def test_it_waits_for_the_next_message(kafka, topic, make):
    kafka.send(topic, *words(1))
    reader = make()
    assert reader.wait(0)
    cursor = taken(reader)[2]
    assert (reader.wait(0.3), reader.lag()) == (False, 0)
    sender = threading.Timer(0.3, lambda: kafka.send(topic, *words(2), partition=1))
    sender.start()
    assert reader.wait(20)
    sender.join()
    assert reader.lag() == 1
    assert ids(taken(reader, cursor)[1]) == [2]


def test_a_broker_that_is_not_there_is_said_to_be_so_in_time(make):
    with pytest.raises(Transient, match="do not answer") as caught:
        make(brokers=[f"127.0.0.1:{free_port()}"], timeout_seconds=0.5).discover()
    assert "127.0.0.1" in caught.value.where


def test_a_broker_that_stops_in_the_middle_and_goes_on_loses_nothing(kafka, topic, make):
    kafka.send(topic, *words(*range(20_000)))
    reading = make(timeout_seconds=20).read("")
    items = [next(reading)]
    kafka.process.send_signal(signal.SIGSTOP)
    waker = threading.Timer(1, lambda: kafka.process.send_signal(signal.SIGCONT))
    waker.start()
    try:
        items += reading
    finally:
        waker.join()
    rows = [row for item in items if isinstance(item, Batch) for row in item.rows.to_pylist()]
    assert ids(rows) == list(range(20_000))


def registered(schema, row, number):
    """A message as a producer with a registry writes it."""
    stream = BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), row)
    return b"\0" + number.to_bytes(4, "big") + stream.getvalue()


def loaded(reader, tmp_path, **options):
    """The rows and the bad rows that stand in the lake after a load, and its dataset."""
    with Catalog(tmp_path) as catalog:
        dataset = ingest_from(reader, reader._spec, "clicks", catalog, **{"accept_schema": False, **options})
        quarantine = Table(catalog.table_path("quarantine", "clicks"))
        bad = quarantine.read().to_pylist() if quarantine.exists() else []
        return Table(catalog.table_path("datasets", "clicks")).read().sort_by("id").to_pylist(), bad, dataset


ORDER = {"type": "record", "name": "R", "fields": [{"name": "id", "type": "long"}, {"name": "paid", "type": "double"}]}
NEWER = {**ORDER, "fields": [*ORDER["fields"], {"name": "to", "type": ["null", "string"], "default": None}]}


def test_avro_messages_of_two_schemas_make_one_table(kafka, topic, make, tmp_path):
    with schema_registry() as server:
        server.put(1, ORDER)
        server.put(2, NEWER)
        options = {"format": "avro", "schema_registry": {"url": server.url}}
        kafka.send(topic, registered(ORDER, {"id": 1, "paid": 2.0}, 1))
        _, _, first = loaded(make(**options), tmp_path)
        assert [str(column) for column in first.schema.columns] == ["id integer", "paid number"]
        kafka.send(topic, registered(NEWER, {"id": 2, "paid": 0.5, "to": "007"}, 2))
        kafka.send(topic, registered(ORDER, {"id": 3, "paid": 1.5}, 1), partition=1)
        with pytest.raises(Refused, match="to"):
            loaded(make(**options), tmp_path)
        rows, _, _ = loaded(make(**options), tmp_path, accept_schema=True)
    assert rows == [
        {"id": 1, "paid": 2.0, "to": None}, {"id": 2, "paid": 0.5, "to": "007"}, {"id": 3, "paid": 1.5, "to": None},
    ]  # fmt: skip


def test_protobuf_messages_by_a_registry(kafka, topic, make, tmp_path):
    file = descriptor_pb2.FileDescriptorProto(name="order.proto", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto
    message = file.message_type.add(name="Order")
    message.field.add(name="id", number=1, type=field.TYPE_INT64, label=field.LABEL_OPTIONAL)
    with schema_registry() as server:
        server.put(5, file.SerializeToString())
        kafka.send(topic, b"\0\0\0\0\x05\0\x08\x07", b"\0\0\0\0\x05\0\x08", b"\0\0\0\0\x06\0\x08\x07")
        options = {"format": "protobuf", "schema_registry": {"url": server.url}, "contract": {"max_bad_share": 1}}
        rows, bad, _ = loaded(make(**options), tmp_path)
    assert rows == [{"id": 7}]
    assert ["no schema 6" in str(row["reasons"]) for row in bad] == [False, True]


def test_dead_letters_wait_in_quarantine_and_the_others_are_loaded(kafka, topic, make, tmp_path):
    kafka.send(topic, '{"id": 1}', "{", b"\xff", '{"id": 2}')
    rows, bad, _ = loaded(make(contract={"max_bad_share": 1}), tmp_path)
    assert rows == [{"id": 1}, {"id": 2}]
    assert [(row["portion"], row["row"], row["raw"]) for row in bad] == [
        (f"{topic}/0", 2, '"{"'), (f"{topic}/0", 3, '"/w=="'),
    ]  # fmt: skip
    assert loaded(make(contract={"max_bad_share": 1}), tmp_path)[:2] == (rows, bad)


def test_upserts_and_tombstones_reach_the_table(kafka, topic, make, tmp_path):
    options = {"upserts": True, "contract": {"key": ["id"]}}
    kafka.send(topic, ("1", '{"id": 1, "n": 1}'), ("2", '{"id": 2, "n": 1}'), ("1", '{"id": 1, "n": 2}'))
    assert loaded(make(**options), tmp_path)[0] == [{"id": 1, "n": 2}, {"id": 2, "n": 1}]
    kafka.send(topic, ("2", None), ("1", None), ("1", '{"id": 1, "n": 3}'), ("3", '{"id": 3, "n": 1}'))
    assert loaded(make(**options), tmp_path)[:2] == ([{"id": 1, "n": 3}, {"id": 3, "n": 1}], [])
    kafka.send(topic, ("3", None))
    assert loaded(make(**options), tmp_path)[0] == [{"id": 1, "n": 3}]


def test_a_partition_that_the_cursor_does_not_know_is_read_from_its_beginning(kafka, topic, make):
    kafka.send(topic, *words(1, 2))
    kafka.send(topic, *words(11), partition=1)
    before = json.loads(taken(make())[2])
    del before[topic]["next"]["1"]
    _, rows, cursor = taken(make(start="latest"), json.dumps(before))
    assert (ids(rows), json.loads(cursor)[topic]["next"]) == ([11], {"0": 2, "1": 1})


def test_a_login_that_is_refused_says_which_setting_and_not_the_password(tmp_path):
    (tmp_path / "password").write_text("open sesame")
    login = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512"}
    with broker("--authentication", ready=False, settings=login) as closed:
        sasl = {"user": "mallory", "password": SecretRef(file="password")}
        spec = {"kind": "kafka", "brokers": [closed.address], "topics": ["t"], "sasl": sasl, "timeout_seconds": 1}
        reader = KafkaReader(KafkaSource.model_validate(spec), Place(tmp_path, tmp_path, KnownSecrets({}, tmp_path)))
        with pytest.raises(Forbidden, match="refuse the login") as caught:
            reader.discover()
        reader.close()
    assert "sesame" not in f"{caught.value!r} {caught.value} {reader!r}"


def test_settings_that_cannot_be(make, tmp_path):
    with pytest.raises(InvalidInput, match="kafka_setting") as caught:
        make(tls={"ca": "nowhere.pem"}).discover()
    assert "nowhere.pem" in caught.value.message, "the file is named"
    with pytest.raises(NotFound, match="no topic 'other'") as caught:
        make(topics=["other"]).discover()
    assert "correct `topics`" in caught.value.hint
    for wrong in ({"format": "avro"}, {"upserts": True}, {"format": "protobuf", "schema_file": "x"}):
        with pytest.raises(ValueError, match=r"needs"):
            make(**wrong)
