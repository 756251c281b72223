"""The kind ``mqtt`` against a real broker: the contract, and whatever else may happen between a device and a table."""

import json
import shutil
import socket
import subprocess
import threading
from datetime import UTC, datetime, timedelta

import pytest
from paho.mqtt.client import CallbackAPIVersion, Client
from tests.servers.certificates import write_certificates
from tests.servers.mosquitto import mosquitto

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.connections import ClientTls
from drivetrain.core.credentials import SecretRef
from drivetrain.core.errors import Forbidden, InvalidInput, Refused, Transient
from drivetrain.core.sources.things import MqttSource
from drivetrain.ingest.reading import Batch, open_reader
from drivetrain.testing.readers import ReaderContract


def source(broker, topics=("#",), **options):
    quick = {"client_id": "tests", "quiet_seconds": 0.15, "timeout_seconds": 3, "metadata": False}
    return MqttSource(kind="mqtt", broker=broker.address, topics=topics, **{**quick, **options})


class TestMqtt5(ReaderContract):
    protocol = 5

    @pytest.fixture(autouse=True)
    def _broker(self, tmp_path):
        with mosquitto(tmp_path / "broker") as self.broker:
            yield

    def make(self, home, rows):
        spec = source(self.broker, ("words",), protocol=self.protocol, timeout_seconds=0.5)
        open_reader(spec, Place(home, home / ".drivetrain" / "cache")).discover()
        return self.add(home, rows)

    def add(self, home, rows):
        self.broker.send(*(("words", {"id": number, "word": word}) for number, word in rows))
        return source(self.broker, ("words",), protocol=self.protocol, timeout_seconds=0.5)

    def remove(self, home):
        self.broker.stop()


class TestMqtt311(TestMqtt5):
    protocol = "3.1.1"


@pytest.fixture
def broker(tmp_path):
    with mosquitto(tmp_path / "broker") as found:
        yield found


@pytest.fixture
def opened(tmp_path):
    """``opened(spec)``: a reader that is closed in the end."""
    readers = []

    def of(spec):
        secrets = KnownSecrets({"MQTT_PASSWORD": "warm-sea"}, tmp_path)
        readers.append(open_reader(spec, Place(tmp_path, tmp_path / "cache", secrets)))
        return readers[-1]

    yield of
    for reader in readers:
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


def test_wildcards_and_retained_messages(broker, opened):
    broker.send(("plant/1/temp", {"id": 1}), retain=True)
    one = opened(source(broker, ("plant/+/temp", "alarms/#"), metadata=True))
    rows, cursor = take(one)
    assert [(row["topic"], row["retained"]) for row in rows] == [("plant/1/temp", "true")]
    broker.send(("plant/1/temp", {"id": 2}), ("plant/1/hum", {"id": 3}), ("plant/1/temp/x", {"id": 4}), retain=True)
    broker.send(("alarms", {"id": 5}), ("alarms/fire/2", {"id": 6}))
    rows, cursor = take(one, cursor)
    assert [(row["topic"], row["id"], row["retained"]) for row in rows] == [
        ("plant/1/temp", "2", "false"), ("alarms", "5", "false"), ("alarms/fire/2", "6", "false"),
    ]  # fmt: skip
    other = opened(source(broker, ("plant/+/temp",), client_id="other", retained="skip"))
    assert take(other) == ([], "")


@pytest.mark.parametrize("protocol", [5, "3.1.1"])
def test_topics_of_the_source_may_change(broker, opened, protocol):
    broker.send(("b", {"id": 0}), retain=True)
    opened(source(broker, ("a", "b"), protocol=protocol)).discover()
    broker.send(("a", {"id": 1}), ("b", {"id": 2}), ("c", {"id": 3}))
    rows, cursor = take(opened(source(broker, ("b", "c"), protocol=protocol)))
    assert {1, 2} < set(ids(rows)), "what was kept for us before"
    broker.send(("a", {"id": 4}), ("b", {"id": 5}), ("c", {"id": 6}))
    assert ids(take(opened(source(broker, ("b", "c"), protocol=protocol)), cursor)[0]) == [5, 6]


def test_device_time_against_arrival_time_out_of_order(broker, opened, project):
    spec = source(
        broker, metadata=True, device_time="at", timeout_seconds=3,
        contract={"max_bad_share": 1, "columns": {"late_seconds": {"type": "number", "min": -60}}},
    )  # fmt: skip
    opened(spec).discover()
    now = datetime.now(UTC)
    shutil.rmtree(project.home / "cache")
    late = {1: 0, 2: 7200, 3: 3600, 4: -600, 5: 30}
    spec = spec.model_copy(update={"client_id": "of-the-project"})
    with pytest.raises(InvalidInput, match="not one row"):
        project.ingest(spec, "things")
    broker.send(*(("t", {"id": n, "at": (now - timedelta(seconds=s)).isoformat()}) for n, s in late.items()))
    project.ingest(spec, "things")
    rows = project.rows("things")
    assert [row["id"] for row in rows] == [1, 2, 3, 5]
    assert all(0 <= row["late_seconds"] - late[row["id"]] < 60 for row in rows)
    assert all(abs(row["received_at"] - now) < timedelta(seconds=60) for row in rows)
    (bad,) = project.quarantined("things")
    assert json.loads(bad["raw"])["id"] == "4", "its clock is ten minutes ahead"


def test_a_message_that_is_sent_twice_is_caught_by_the_key(broker, project):
    spec = source(broker, contract={"key": ["id"], "max_bad_share": 1})
    open_reader(spec, Place(project.home, project.catalog.state / "cache")).discover()
    broker.send(("a", {"id": 1}), ("a", {"id": 2}), ("a", {"id": 1}))
    project.ingest(spec, "things")
    broker.send(("a", {"id": 2}), ("a", {"id": 3}))
    project.ingest(spec, "things")
    assert project.column("id", "things") == [1, 2, 3]
    assert len(project.quarantined("things")) == 2


def test_a_broker_that_restarts_while_it_is_followed(broker, opened):
    follower = opened(source(broker))
    assert follower.wait(0), "nobody has read yet"
    rows, cursor = take(follower)
    assert not follower.wait(0.05)
    for number in range(3):
        broker.send(("a", {"id": number}))
        assert follower.wait(5)
        rows, cursor = take(follower, cursor)
        assert ids(rows) == [number]
        follower.commit(cursor)
        assert follower.lag() == 0
        broker.restart()
    broker.stop()
    with pytest.raises(Transient, match="does not answer"):
        follower.wait(5)
    broker.start()
    assert not follower.wait(0.1)
    broker.send(("a", {"id": 9}))
    assert follower.wait(5)
    assert ids(take(follower, cursor)[0]) == [9]


def test_a_broker_that_is_never_silent(broker, opened):
    many, timed = opened(source(broker, max_rows=25)), opened(source(broker, client_id="b", max_seconds=1))
    many.discover(), timed.discover()
    over = threading.Event()

    def chatter():
        number = 0
        while not over.is_set():
            broker.send(*(("a", {"id": number + step}) for step in range(20)))
            number += 20

    sender = threading.Thread(target=chatter)
    sender.start()
    try:
        rows, cursor = take(many)
        more, cursor = take(many, cursor)
        assert take(timed)[0]
    finally:
        over.set()
        sender.join()
    assert ids(rows + more) == list(range(50))
    assert ids(take(opened(source(broker)), cursor)[0])[:5] == [50, 51, 52, 53, 54]


def test_a_broker_that_forgot_the_session(broker, opened):
    opened(source(broker)).discover()
    broker.send(("a", {"id": 1}))
    rows, cursor = take(opened(source(broker)))
    broker.send(("a", {"id": 2}))
    broker.restart(forget=True)
    for _ in range(2):
        with pytest.raises(Refused, match="forgot our session") as caught:
            take(opened(source(broker)), cursor)
        assert caught.value.code == "queue_gap"
        assert "gaps: accept" in caught.value.hint
    broker.send(("a", {"id": 3}))
    rows, cursor = take(opened(source(broker, gaps="accept")), cursor)
    assert ids(rows) == [3], "what was sent after the refusal was kept"
    broker.send(("a", {"id": 4}))
    assert ids(take(opened(source(broker)), cursor)[0]) == [4]


def test_a_spool_that_was_deleted(broker, opened, tmp_path):
    opened(source(broker)).discover()
    broker.send(("a", {"id": 1}))
    _, cursor = take(opened(source(broker)))
    shutil.rmtree(tmp_path / "cache")
    broker.send(("a", {"id": 2}))
    with pytest.raises(Refused, match="spool") as caught:
        take(opened(source(broker)), cursor)
    assert caught.value.code == "queue_gap"
    rows, cursor = take(opened(source(broker, gaps="accept")), cursor)
    assert ids(rows) == [2]
    assert take(opened(source(broker)), cursor) == ([], cursor)


def test_one_process_at_a_time_follows_a_session(broker, opened):
    follower = opened(source(broker))
    take(follower)
    assert not follower.wait(0.05)
    with pytest.raises(Transient, match="works on"):
        opened(source(broker)).discover()
    follower.close()
    opened(source(broker)).discover()


def test_another_client_of_our_name_that_ends_our_session_is_noticed(broker, opened):
    follower = opened(source(broker))
    broker.send(("a", {"id": 1}), retain=True)
    _, cursor = take(follower)
    assert not follower.wait(0.05)
    stranger = Client(CallbackAPIVersion.VERSION2, "tests")
    stranger.connect("127.0.0.1", broker.port)
    assert follower.wait(5), "it connects again, and gets what is retained"
    stranger.disconnect()
    with pytest.raises(Refused, match="forgot our session"):
        take(follower, cursor)


CONNECTED, SUBSCRIBED = b"\x20\x03\0\0\0", b"\x90\x04\0\x01\0\x01"


@pytest.mark.parametrize(
    ("answers", "error", "code"),
    [
        ([b"\x20\x03\0\x86\0"], Forbidden, "mqtt_login_refused"),
        ([b"\x20\x03\0\x85\0"], InvalidInput, "mqtt_setting"),
        ([b"\x20\x03\0\x89\0"], Transient, "mqtt_unreachable"),
        ([b""], Transient, "mqtt_unreachable"),
        ([b"\xff\xff\xff\xff\xff"], Transient, "mqtt_unreachable"),
        ([CONNECTED, b"\x90\x04\0\x01\0\x87"], Forbidden, "mqtt_forbidden"),
        ([CONNECTED, b"\x90\x04\0\x01\0\0"], Refused, "mqtt_quality"),
        ([CONNECTED, SUBSCRIBED + b"\xe0\x02\x8e\0"], Refused, "mqtt_session_taken"),
    ],
)
def test_whatever_a_broker_may_answer(opened, answers, error, code):
    def serve():
        connection, _ = listener.accept()
        with connection:
            for answer in answers:
                connection.recv(4096)
                connection.sendall(answer)
            connection.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        spec = MqttSource(
            kind="mqtt", broker=f"127.0.0.1:{listener.getsockname()[1]}", topics=("a",), client_id="me",
            timeout_seconds=0.2,
        )  # fmt: skip
        server = threading.Thread(target=serve)
        server.start()
        try:
            with pytest.raises(error) as caught:
                take(opened(spec))
        finally:
            server.join()
    assert caught.value.code == code
    assert caught.value.hint
    assert spec.broker in caught.value.where


def test_user_and_password_by_reference(tmp_path, opened):
    subprocess.run(["mosquitto_passwd", "-b", "-c", tmp_path / "users", "ada", "warm-sea"], check=True)
    options = ("allow_anonymous false", f"password_file {tmp_path / 'users'}")
    login = {"username": "ada", "password": "warm-sea"}
    with mosquitto(tmp_path / "broker", *options, login=login) as broker:
        good = {"user": "ada", "password": SecretRef(env="MQTT_PASSWORD")}
        reader = opened(source(broker, **good))
        reader.discover()
        broker.send(("a", {"id": 1}))
        assert ids(take(reader)[0]) == [1]
        (tmp_path / "old").write_text("cold-sea")
        for wrong in ({"user": "ada", "password": SecretRef(file="old")}, {"user": "eve"}, {}):
            for protocol in (5, "3.1.1"):
                with pytest.raises(Forbidden, match="refuses the login") as caught:
                    opened(source(broker, protocol=protocol, **wrong)).discover()
                assert caught.value.code == "mqtt_login_refused"
                assert "sea" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho does not close a failed socket
def test_tls(tmp_path, opened):
    files = write_certificates(tmp_path / "tls")
    options = (
        f"cafile {files.ca}",
        f"certfile {files.certificate}",
        f"keyfile {files.key}",
        "require_certificate true",
    )
    tls = {"ca_certs": str(files.ca), "certfile": str(files.certificate), "keyfile": str(files.key)}
    with mosquitto(tmp_path / "broker", *options, tls=tls) as broker:
        ours = ClientTls(ca="tls/ca.pem", certificate="tls/certificate.pem", key="tls/key.pem")
        reader = opened(source(broker, tls=ours))
        reader.discover()
        broker.send(("a", {"id": 1}))
        assert ids(take(reader)[0]) == [1]
        for file in (None, "tls/other.pem", "nowhere.pem", "tls/key.pem"):
            with pytest.raises(InvalidInput) as caught:
                opened(source(broker, tls=ClientTls(ca=file))).discover()
            assert caught.value.code == "mqtt_setting"
            assert "tls" in caught.value.hint
            assert file != "nowhere.pem" or file in caught.value.message


def test_a_broker_that_promises_nothing_is_refused(tmp_path, opened):
    with mosquitto(tmp_path / "broker", "max_qos 0") as broker:
        with pytest.raises(Refused, match="QoS 0") as caught:
            opened(source(broker)).discover()
        assert caught.value.code == "mqtt_quality"


@pytest.mark.parametrize("topic", ["", "a+", "a/#/b", "a/b#"])
def test_a_filter_that_is_none(topic):
    with pytest.raises(ValueError, match="whole level"):
        MqttSource(kind="mqtt", broker="here", topics=(topic,), client_id="me")


@pytest.mark.parametrize(
    ("broker", "tls", "address"),
    [
        ("here", None, ("here", 1883)), ("here", ClientTls(), ("here", 8883)), ("here:99", ClientTls(), ("here", 99)),
        ("[::1]", None, ("::1", 1883)), ("[::1]:99", None, ("::1", 99)),
    ],
)  # fmt: skip
def test_addresses(broker, tls, address):
    assert MqttSource(kind="mqtt", broker=broker, topics=("a",), client_id="me", tls=tls).address == address
