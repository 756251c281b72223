"""The kind ``amqp`` against a real broker: the contract, and whatever else may happen between a queue and a table."""

import shutil
import threading
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import fastavro
import pytest
from tests.servers.gate import gate_to
from tests.servers.rabbitmq import free_port, rabbitmq
from tests.servers.schema_registry import schema_registry

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.connections import ClientTls
from drivetrain.core.credentials import SecretRef
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Refused, Transient
from drivetrain.core.sources.queues import AmqpSource
from drivetrain.ingest.ingest import ingest
from drivetrain.ingest.reading import Batch, open_reader
from drivetrain.testing.readers import ReaderContract

PASSWORD = SecretRef(env="AMQP_PASSWORD")
SECRETS = KnownSecrets({"AMQP_PASSWORD": "warm-sea", "OLD_PASSWORD": "cold-sea"}, Path())


@pytest.fixture(scope="module")
def broker():
    with rabbitmq() as found:
        yield found


@pytest.fixture
def queue(broker, request):
    name = request.node.nodeid.partition("::")[2]
    broker.declare(name)
    return name


def source(server, name, **options):
    place = {"broker": server.address, "queue": name, "user": "ada", "password": PASSWORD}
    quick = {"quiet_seconds": 0.1, "timeout_seconds": 3}
    return AmqpSource.model_validate({"kind": "amqp", **place, **quick, **options})


class TestQueue(ReaderContract):
    secrets = SECRETS

    @pytest.fixture(autouse=True)
    def _there(self, broker, queue):
        self.broker, self.queue = broker, queue

    def make(self, home, rows):
        self.broker.send(self.queue, *({"id": number, "word": word} for number, word in rows))
        return source(self.broker, self.queue)

    def add(self, home, rows):
        return self.make(home, rows)

    def remove(self, home):
        self.broker.delete(self.queue)


@pytest.fixture
def make(broker, queue, tmp_path):
    """``make(**options)``: a reader of this test's queue, which is closed in the end."""
    made = []

    def open_one(**options):
        made.append(open_reader(source(broker, queue, **options), Place(tmp_path, tmp_path / "cache", SECRETS)))
        return made[-1]

    yield open_one
    for reader in made:
        reader.close()


def take(reader, cursor=""):
    """The rows after the cursor, and the cursor behind them."""
    rows = []
    for item in reader.read(cursor):
        if isinstance(item, Batch):
            rows += item.rows.to_pylist()
        else:
            cursor = item.cursor
    return rows, cursor


def ids(rows):
    return [int(row["id"]) for row in rows]


def numbered(numbers):
    return [{"id": number} for number in numbers]


def test_windows_and_the_most_of_a_load(broker, queue, make):
    broker.send(queue, *numbered(range(60)))
    rows, cursor = take(make(prefetch=7, max_rows=25))
    assert (ids(rows), broker.waiting(queue)) == (list(range(25)), 35)
    rows, cursor = take(make(prefetch=7), cursor)
    assert (ids(rows), broker.waiting(queue)) == (list(range(25, 60)), 0)


def test_the_envelope_of_a_message_on_wish(broker, queue, make):
    moment = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp())
    headers = {"trace": "abc", "cost": Decimal("1.25"), "deep": {"n": [1, 2]}}
    broker.send(queue, {"id": 1}, message_id="m-1", timestamp=moment, application_headers=headers)
    broker.send(queue, {"id": 2})
    broker.send(queue, {"id": 3}, timestamp=moment * 1_000)
    broker.send(queue, {"id": 4}, timestamp=1 << 62)
    (batch, _) = make(metadata=True).read("")
    first, second, third, fourth = batch.rows.to_pylist()
    assert (third["amqp_timestamp"], fourth["amqp_timestamp"]) == (first["amqp_timestamp"], None)
    assert (first["amqp_exchange"], first["amqp_routing_key"], first["amqp_message_id"]) == ("", queue, "m-1")
    assert first["amqp_timestamp"].startswith("2026-03-01T12:00:00")
    assert first["amqp_headers"] == '{"trace":"abc","cost":"1.25","deep":{"n":[1,2]}}'
    assert (second["amqp_message_id"], second["amqp_timestamp"], second["amqp_headers"]) == (None, None, None)
    assert second["amqp_received_at"].startswith("20")
    assert {str(column) for column in batch.declared.columns} >= {"amqp_timestamp timestamp", "amqp_exchange text"}


def test_what_cannot_be_taken_apart_waits_in_quarantine(broker, queue, project):
    broker.send(queue, {"id": 1}, "{", "[1]", b"\xff\xfe", "{}", {"id": 2})
    dataset = ingest(source(broker, queue, contract={"max_bad_share": 1}), "words", project.catalog, secrets=SECRETS)
    assert (dataset.rows, dataset.quarantined) == (2, 4)
    assert [row["row"] for row in project.quarantined("words")] == [2, 3, 4, 5]
    assert broker.waiting(queue) == 0


def test_text_and_avro(broker, queue, make, project):
    broker.send(queue, "one\ntwo", b"\xff")
    assert take(make(format="text"))[0] == [{"value": "one\ntwo"}]
    schema = {"type": "record", "name": "R", "fields": [{"name": "id", "type": "long"}]}
    content = BytesIO()
    fastavro.schemaless_writer(content, fastavro.parse_schema(schema), {"id": 7})
    broker.send(queue, b"\0\0\0\0\x01" + content.getvalue())
    with schema_registry() as registry:
        registry.put(1, schema)
        spec = source(broker, queue, format="avro", schema_registry={"url": registry.url})
        dataset = ingest(spec, "words", project.catalog, secrets=SECRETS)
    assert [str(column) for column in dataset.schema.columns] == ["id integer"]


def test_messages_that_say_the_same_are_all_rows(broker, queue, make):
    broker.send(queue, *["21.5"] * 30)
    assert len(take(make(format="text", prefetch=7))[0]) == 30


def test_messages_that_others_took_and_gave_back_are_rows(broker, queue, make):
    broker.send(queue, *numbered(range(10)))
    with broker.channel() as channel:
        taken = [channel.basic_get(queue) for _ in range(4)]
        assert all(taken)
    assert sorted(ids(take(make(prefetch=3))[0])) == list(range(10))


def test_connections_that_are_lost_lose_and_double_nothing(broker, queue, make):
    broker.send(queue, *({"id": number, "pad": "x" * 200} for number in range(600)))
    with gate_to(broker.port) as gate:
        reader, cursor, found = make(broker=f"127.0.0.1:{gate.port}", prefetch=50, timeout_seconds=10), "", []
        for size in (3_000, 20_000, 45_000, 1_000):
            gate.cut_after(size)
            rows, cursor = take(reader, cursor)
            found += ids(rows)
    assert sorted(found) == list(range(600))
    assert broker.waiting(queue) == 0


def test_it_waits_for_the_next_message(broker, queue, make):
    follower = make()
    assert follower.wait(0), "nobody has read yet"
    assert take(follower) == ([], "")
    assert not follower.wait(0.1)
    sender = threading.Timer(0.2, lambda: broker.send(queue, *numbered([1])))
    sender.start()
    assert follower.wait(20)
    sender.join()
    assert follower.lag() == 1
    assert (ids(take(follower)[0]), follower.lag()) == ([1], 0)
    with pytest.raises(Transient, match="works on"):
        make().discover()
    follower.close()
    make().discover()


def test_a_spool_that_was_deleted(broker, queue, make, tmp_path):
    broker.send(queue, *numbered([1]))
    _, cursor = take(make())
    shutil.rmtree(tmp_path / "cache")
    broker.send(queue, *numbered([2]))
    with pytest.raises(Refused, match="spool") as caught:
        take(make(), cursor)
    assert caught.value.code == "queue_gap"
    rows, cursor = take(make(gaps="accept"), cursor)
    assert ids(rows) == [2]
    assert take(make(), cursor) == ([], cursor)


def test_a_broker_that_is_not_there_is_said_to_be_so_in_time(make):
    with pytest.raises(Transient, match="does not answer") as caught:
        make(broker=f"127.0.0.1:{free_port()}", timeout_seconds=0.3).discover()
    assert "127.0.0.1" in caught.value.where


def test_a_queue_that_is_not_there_or_is_anothers(broker, queue, make):
    with pytest.raises(NotFound, match="no such queue") as caught:
        make(queue="nowhere").discover()
    assert caught.value.code == "queue_unknown"
    with broker.channel() as channel:
        channel.queue_declare("theirs", exclusive=True)
        with pytest.raises(InvalidInput, match="does not take it") as caught:
            make(queue="theirs").discover()
    assert caught.value.code == "amqp_setting"
    broker.declare("one", arguments={"x-single-active-consumer": True})
    with broker.channel() as channel:
        channel.basic_qos(0, 1, False)
        channel.basic_consume("one", callback=lambda _: None)
        broker.send("one", *numbered(range(4)))
        with pytest.raises(InvalidInput, match="3 messages wait in the queue, and none is given to us") as caught:
            take(make(queue="one"))
    assert "another consumer" in caught.value.hint
    assert ids(take(make(queue="one"))[0]) == [0, 1, 2, 3]


def test_a_login_that_is_refused_says_which_setting_and_not_the_password(queue, make):
    for wrong in ({"password": SecretRef(env="OLD_PASSWORD")}, {"user": "eve"}, {"user": "guest", "password": None}):
        with pytest.raises(Forbidden, match="refuses the login") as caught:
            make(**wrong).discover()
        assert caught.value.code == "amqp_login_refused"
        assert "sea" not in f"{caught.value} {caught.value!r}"
    for wrong in ({"user": "bob"}, {"virtual_host": "nowhere"}):
        with pytest.raises(Forbidden, match="does not allow it") as caught:
            take(make(**wrong))
        assert caught.value.code == "amqp_forbidden"


def test_tls_against_a_port_without_it(broker, queue, make):
    with pytest.raises(InvalidInput, match="amqp_setting") as caught:
        make(tls=ClientTls()).discover()
    assert "speaks without TLS" in caught.value.hint


def test_tls(broker, queue, make, tmp_path):
    shutil.copytree(broker.folder / "tls", tmp_path / "tls")
    broker.send(queue, *numbered([1]))
    address = f"127.0.0.1:{broker.tls_port}"
    assert ids(take(make(broker=address, tls=ClientTls(ca="tls/ca.pem")))[0]) == [1]
    for file in (None, "tls/other.pem", "nowhere.pem", "tls/key.pem"):
        with pytest.raises(InvalidInput) as caught:
            make(broker=address, tls=ClientTls(ca=file)).discover()
        assert caught.value.code == "amqp_setting"
        assert "tls" in caught.value.hint
