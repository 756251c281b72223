"""The contract of a Reader, kept by a stream of each retention; and what is particular to NATS, on a real server."""

import json
import socket
import threading
from io import BytesIO

import fastavro
import pytest
from tests.servers.certificates import write_certificates
from tests.servers.nats import free_port, nats
from tests.servers.schema_registry import schema_registry

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.connections import ClientTls
from drivetrain.core.credentials import SecretRef
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Refused, Transient
from drivetrain.core.sources.queues import NatsSource
from drivetrain.ingest.nats_api import is_meant
from drivetrain.ingest.reading import Batch, Position, open_reader
from drivetrain.testing.readers import ReaderContract


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with nats(tmp_path_factory.mktemp("nats")) as found:
        yield found


@pytest.fixture
def stream(request):
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.nodeid.partition("::")[2])


def words(*numbers):
    return [json.dumps({"id": number, "word": f"w{number}"}) for number in numbers]


class TestLimits(ReaderContract):
    retention, durable = "limits", None

    @pytest.fixture(autouse=True)
    def _there(self, server, stream):
        self.server, self.stream = server, stream

    def make(self, home, rows):
        self.server.make(self.stream, retention=self.retention)
        self.open(self.spec_of(), home).discover()
        return self.add(home, rows)

    def spec_of(self):
        return NatsSource(
            kind="nats", servers=(self.server.address,), stream=self.stream, durable=self.durable, timeout_seconds=3
        )

    def add(self, home, rows):
        self.server.send(self.stream, *(json.dumps({"id": number, "word": word}) for number, word in rows))
        return self.spec_of()

    def remove(self, home):
        self.server.delete(self.stream)


class TestWorkQueue(TestLimits):
    retention, durable = "workqueue", "drivetrain"


class TestInterest(TestLimits):
    retention, durable = "interest", "drivetrain"


@pytest.fixture
def make(server, stream, tmp_path):
    """``make(**options)``: a reader of this test's stream."""
    made = []

    def open_one(**options):
        options = {"kind": "nats", "servers": [server.address], "stream": stream, "timeout_seconds": 5, **options}
        secrets = KnownSecrets({"NATS_PASSWORD": "warm-sea"}, tmp_path)
        made.append(open_reader(NatsSource.model_validate(options), Place(tmp_path, tmp_path / "cache", secrets)))
        return made[-1]

    yield open_one
    for reader in made:
        reader.close()


def taken(reader, cursor=""):
    """The batches, the rows, and the cursor after them."""
    items = list(reader.read(cursor))
    batches = [item for item in items if isinstance(item, Batch)]
    positions = [item for item in items if isinstance(item, Position)]
    rows = [row for batch in batches for row in batch.rows.to_pylist()]
    return batches, rows, positions[-1].cursor if positions else cursor


def ids(rows):
    return [int(row["id"]) for row in rows]


@pytest.mark.parametrize("retention", ["limits", "interest", "workqueue"])
def test_only_what_is_loaded_is_acknowledged_and_then_it_may_go(server, stream, make, retention):
    server.make(stream, f"{stream}.>", retention=retention)
    options = {"durable": "ours", "subject": f"{stream}.a"}
    make(**options).discover()
    server.publish([(f"{stream}.{'ab'[at % 2]}", words(at // 2)[0]) for at in range(2600)])
    kept = server.state(stream).messages
    _, rows, cursor = taken(make(max_rows=650, **options))
    assert ids(rows) == list(range(650))
    assert server.state(stream).messages == kept
    for _ in range(2):
        make(**options).commit(cursor)
        assert server.state(stream).messages == (kept if retention == "limits" else kept - 650)
    assert (make(**options).lag(), make(**options).wait(0)) == (1300 if retention == "limits" else 650, True)
    _, rows, cursor = taken(make(**options), cursor)
    assert ids(rows) == list(range(650, 1300))
    make(**options).commit(cursor)
    assert server.state(stream).messages == {"limits": 2600, "interest": 0, "workqueue": 1300}[retention]


def test_a_stream_that_deletes_needs_a_durable_consumer(server, stream, make):
    server.make(stream, retention="workqueue")
    with pytest.raises(InvalidInput, match="retention workqueue") as caught:
        make().discover()
    assert "`durable`" in caught.value.hint


def test_a_subject_with_wildcards(server, stream, make):
    server.make(stream, f"{stream}.>")
    server.publish(
        [(f"{stream}.eu.de", words(1)[0]), (f"{stream}.us.ny", words(2)[0]), (f"{stream}.eu.fr", words(3)[0])]
    )
    (batch,), rows, _ = taken(make(subject=f"{stream}.eu.*", metadata=True))
    assert (ids(rows), batch.numbers.to_pylist()) == ([1, 3], [1, 3])
    assert [row["nats_subject"].rpartition(".")[2] for row in rows] == ["de", "fr"]


@pytest.mark.parametrize(
    ("subject", "wanted", "is_so"),
    [("a.b", None, True), ("a.b", "a.*", True), ("a.b", "a.>", True), ("a", "a.>", False), ("a.b.c", "a.*", False),
     ("a.b", "a.c", False), ("a.b", ">", True), ("a", "a.b", False), ("a.b.c", "*.b.>", True)],
)  # fmt: skip
def test_what_a_filter_means(subject, wanted, is_so):
    assert is_meant(subject, wanted) is is_so


@pytest.mark.parametrize("retention", ["limits", "workqueue"])
def test_the_envelope_of_a_message_on_wish(server, stream, make, retention):
    server.make(stream, retention=retention)
    server.send(stream, *words(1))
    server.send(stream, *words(2), headers={"Trace": "a:b", "Nats-Msg-Id": "7"})
    (batch,), rows, _ = taken(make(metadata=True, durable="d"))
    assert rows[0]["nats_time"].startswith("20")
    assert [(row["nats_subject"], row["nats_sequence"]) for row in rows] == [(stream, "1"), (stream, "2")]
    assert rows[0]["nats_headers"] is None
    assert sorted(json.loads(rows[1]["nats_headers"])) == [["Nats-Msg-Id", "7"], ["Trace", "a:b"]]
    types = {column.name: str(column.type) for column in batch.declared.columns}
    assert (types["nats_sequence"], types["nats_time"]) == ("integer", "timestamp")


def test_blocks_are_of_bounded_size_whatever_the_messages_weigh(server, stream, make):
    server.make(stream)
    server.send(stream, *(f'{{"id": {number}, "text": "{"x" * 500_000}"}}' for number in range(80)))
    batches, rows, _ = taken(make())
    assert ids(rows) == list(range(80))
    assert max(batch.rows.nbytes for batch in batches) < 20 << 20
    assert [batch.done for batch in batches][-1] == 80


def test_what_cannot_be_taken_apart_waits_in_quarantine_and_is_acknowledged(server, stream, make, project):
    server.make(stream, retention="workqueue")
    bad = ["{", "[1]", b"\xff\xfe", "{}", '{"ID": 7}', '{"drivetrain_row": 1}']
    server.send(stream, '{"id": 1}', *bad, '{"id": 2}')
    spec = make(durable="d", contract={"max_bad_share": 1})._spec
    project.ingest(spec, "words")
    assert project.column("id", "words") == [1, 2]
    assert [(row["portion"], row["row"]) for row in project.quarantined("words")] == [
        (stream, number) for number in range(2, 8)
    ]
    assert server.state(stream).messages == 0


def test_text_is_one_column(server, stream, make):
    server.make(stream)
    server.send(stream, "one\ntwo", b"\xff")
    (batch,), rows, _ = taken(make(format="text"))
    assert (rows, len(batch.broken)) == ([{"value": "one\ntwo"}], 1)


def test_avro_by_a_registry_makes_typed_columns(server, stream, make, project):
    schema = {"type": "record", "name": "R", "fields": [{"name": "id", "type": "long"}]}
    content = BytesIO()
    fastavro.schemaless_writer(content, fastavro.parse_schema(schema), {"id": 7})
    server.make(stream)
    server.send(stream, b"\0\0\0\0\x01" + content.getvalue())
    with schema_registry() as registry:
        registry.put(1, schema)
        dataset = project.ingest(make(format="avro", schema_registry={"url": registry.url})._spec, "words")
    assert [str(column) for column in dataset.schema.columns] == ["id integer"]


def test_messages_that_limits_deleted_before_they_were_loaded_are_counted(server, stream, make):
    server.make(stream, max_msgs=5)
    server.send(stream, *words(1, 2, 3))
    cursor = taken(make())[2]
    server.send(stream, *words(4, 5))
    assert ids(taken(make(), cursor)[1]) == [4, 5]
    server.send(stream, *words(*range(6, 12)))
    for _ in range(2):
        with pytest.raises(Refused, match="messages 4 to 6 were deleted") as caught:
            taken(make(), cursor)
        assert caught.value.code == "messages_gone"
        assert "gaps: accept" in caught.value.hint
    _, rows, cursor = taken(make(gaps="accept"), cursor)
    assert ids(rows) == [7, 8, 9, 10, 11]
    assert taken(make(), cursor)[1] == []


def test_a_rare_subject_that_was_looked_for_in_time_has_lost_nothing(server, stream, make):
    server.make(stream, f"{stream}.*", max_msgs=4)
    server.publish([(f"{stream}.rare", words(1)[0])])
    rare = {"subject": f"{stream}.rare"}
    cursor = taken(make(**rare))[2]
    for start in (0, 10):
        server.send(f"{stream}.often", *words(*range(start, start + 4)))
        assert taken(make(**rare), cursor)[1] == []
    server.send(f"{stream}.often", *words(*range(5)))
    with pytest.raises(Refused, match="nobody can tell"):
        taken(make(**rare), cursor)


def test_a_stream_made_anew_is_refused_until_that_is_accepted(server, stream, make):
    server.make(stream)
    server.send(stream, *words(1, 2))
    cursor = taken(make())[2]
    server.delete(stream)
    server.make(stream)
    server.send(stream, *words(7, 8, 9))
    with pytest.raises(Refused, match="made anew"):
        taken(make(), cursor)
    _, rows, cursor = taken(make(gaps="accept"), cursor)
    assert ids(rows) == [7, 8, 9]
    assert taken(make(), cursor)[1] == []


def test_holes_in_the_middle_are_no_gap(server, stream, make):
    server.make(stream)
    server.send(stream, *words(*range(6)))
    cursor = taken(make(max_rows=1))[2]
    server.ask(lambda js: js.delete_msg(stream, 3))
    assert ids(taken(make(), cursor)[1]) == [1, 3, 4, 5]
    server.ask(lambda js: js.purge_stream(stream))
    server.send(stream, *words(9))
    with pytest.raises(Refused, match="messages 2 to 6 were deleted"):
        taken(make(), cursor)


@pytest.mark.parametrize("retention", ["limits", "workqueue"])
def test_it_waits_for_the_next_message(server, stream, make, retention):
    server.make(stream, retention=retention)
    server.send(stream, *words(1))
    reader = make(durable="d")
    assert reader.wait(0)
    cursor = taken(reader)[2]
    reader.commit(cursor)
    assert (reader.wait(0.1), reader.lag()) == (False, 0)
    sender = threading.Timer(0.2, lambda: server.send(stream, *words(2)))
    sender.start()
    assert reader.wait(20)
    sender.join()
    assert reader.lag() == 1
    assert ids(taken(reader, cursor)[1]) == [2]


def test_a_server_that_restarts_while_it_is_followed_and_read(tmp_path, stream, make):
    with nats(tmp_path / "server") as server:
        server.make(stream)
        server.send(stream, *words(*range(15_000)))
        reader = make(servers=[server.address], timeout_seconds=10)
        assert reader.wait(0)
        reading = reader.read("")
        items = [next(reading)]
        server.stop()
        threading.Timer(0.5, server.start).start()
        items += reading
        rows = [row for item in items if isinstance(item, Batch) for row in item.rows.to_pylist()]
        assert ids(rows) == list(range(15_000))
        server.stop()
        with pytest.raises(Transient, match="do not answer"):
            reader.wait(5)
        server.start()
        assert not reader.wait(0.1)
        reader.close()


def test_a_server_that_is_not_there_is_said_to_be_so_in_time(make):
    with pytest.raises(Transient, match="do not answer") as caught:
        make(servers=[f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"], timeout_seconds=0.3).discover()
    assert "127.0.0.1" in caught.value.where


def test_the_next_server_is_asked_when_one_does_not_answer(server, stream, make):
    server.make(stream)
    server.send(stream, *words(1))
    assert ids(taken(make(servers=[f"127.0.0.1:{free_port()}", server.address]))[1]) == [1]


def test_a_stream_or_consumer_that_is_not_there_or_not_ours(server, stream, make):
    with pytest.raises(NotFound, match="no such stream") as caught:
        make().discover()
    assert (caught.value.code, stream in caught.value.where) == ("stream_unknown", True)
    server.make(stream)
    server.ask(lambda js: js.add_consumer(stream, durable_name="push", deliver_subject="x"))
    with pytest.raises(InvalidInput, match="push consumer"):
        make(durable="push").discover()
    server.send(stream, *words(1))
    with pytest.raises(InvalidInput, match="does not take it"):
        taken(make(subject="some.other..subject"))


USERS = """
authorization { users: [
  {user: ada, password: warm-sea},
  {user: bob, password: warm-sea, permissions: {publish: "_INBOX.>", subscribe: "_INBOX.>"}},
] }
"""


def test_a_login_that_is_refused_says_which_setting_and_not_the_password(tmp_path, stream, make):
    with nats(tmp_path / "server", USERS, user="ada", password="warm-sea") as server:
        server.make(stream)
        server.send(stream, *words(1))
        good = {"servers": [server.address], "user": "ada", "password": SecretRef(env="NATS_PASSWORD")}
        assert ids(taken(make(**good))[1]) == [1]
        (tmp_path / "old").write_text("cold-sea")
        for wrong in ({"password": SecretRef(file="old")}, {"user": None, "password": None}, {"user": "eve"}):
            with pytest.raises(Forbidden, match="refuse the login") as caught:
                make(**{**good, **wrong}).discover()
            assert caught.value.code == "nats_login_refused"
            assert "sea" not in f"{caught.value} {caught.value!r}"
        with pytest.raises(Forbidden, match=r"permissions violation") as caught:
            make(**{**good, "user": "bob"}).discover()
        assert caught.value.code == "nats_forbidden"


def test_a_token(tmp_path, stream, make):
    with nats(tmp_path / "server", "authorization { token: warm-sea }", token="warm-sea") as server:
        server.make(stream)
        make(servers=[server.address], token=SecretRef(env="NATS_PASSWORD")).discover()


def test_tls(tmp_path, stream, make):
    files = write_certificates(tmp_path / "tls")
    settings = (
        f'tls {{ cert_file: "{files.certificate}", key_file: "{files.key}", ca_file: "{files.ca}", verify: true }}'
    )
    with nats(tmp_path / "server", settings) as server:
        ours = ClientTls(ca="tls/ca.pem", certificate="tls/certificate.pem", key="tls/key.pem")
        with pytest.raises(NotFound, match="no such stream"):
            make(servers=[server.address], tls=ours).discover()
        for bad in (ClientTls(ca="tls/other.pem"), ClientTls(), ClientTls(ca="nowhere.pem"), None):
            with pytest.raises(InvalidInput) as caught:
                make(servers=[server.address], tls=bad).discover()
            assert caught.value.code == "nats_setting"
            assert "tls" in caught.value.hint
        with pytest.raises((InvalidInput, Transient)) as caught:  # as TLS 1.3 has it: an alert, or a lost connection
            make(servers=[server.address], tls=ClientTls(ca="tls/ca.pem"), timeout_seconds=0.1).discover()
        assert "`tls" in caught.value.hint


def test_with_tls_nothing_is_said_in_the_clear_to_a_server_without(make):
    """Whoever stands in between could say that it has none, and hear the login."""
    heard = []

    def listen(door):
        with door.accept()[0] as line:
            line.sendall(b'INFO {"server_id":"x","version":"2.10.0","max_payload":1048576}\r\n')
            line.settimeout(5)
            heard.append(line.recv(1 << 16))

    with socket.create_server(("127.0.0.1", 0)) as door:
        listener = threading.Thread(target=listen, args=(door,))
        listener.start()
        address = f"127.0.0.1:{door.getsockname()[1]}"
        login = {"user": "ada", "password": SecretRef(env="NATS_PASSWORD"), "timeout_seconds": 0.1}
        with pytest.raises((InvalidInput, Transient), match=r"encrypted|answer") as caught:
            make(servers=[address], tls=ClientTls(), **login).discover()
        listener.join()
    assert "tls" in caught.value.hint
    assert heard[0].startswith(b"\x16\x03"), "a TLS handshake"


def test_settings_that_cannot_be():
    for wrong in ({"user": "ada"}, {"stream": "a.b"}, {"servers": []}, {"servers": ["nats://a:1"]}, {"format": "avro"}):
        with pytest.raises(ValueError, match=r"\w"):
            NatsSource.model_validate({"kind": "nats", "servers": ["a"], "stream": "s", **wrong})
