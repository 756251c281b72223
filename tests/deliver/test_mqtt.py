"""The kind ``mqtt`` against a real broker: topics, keys, acknowledgements, refusals, connections that end."""

import json
from contextlib import contextmanager
from threading import Event

import pytest
from paho.mqtt.client import CallbackAPIVersion, Client
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pydantic import ValidationError
from tests.deliver.sending import opened, parcel, words
from tests.servers.certificates import write_certificates
from tests.servers.mosquitto import mosquitto
from tests.servers.relay import relay

from drivetrain.core.errors import Forbidden, InvalidInput, Transient
from drivetrain.core.outlets.things import MqttOutlet
from drivetrain.testing.outlets import COLUMNS, OutletContract


class Listener:
    """Somebody who hears every topic of a broker; ``heard`` waits until what was sent before has come."""

    def __init__(self, port):
        self.messages, self._marks, self._mark = [], 0, Event()
        self._client = Client(CallbackAPIVersion.VERSION2, "listener", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._hear
        there = Event()
        self._client.on_subscribe = lambda *_: there.set()
        kept = Properties(PacketTypes.CONNECT)
        kept.SessionExpiryInterval = 600
        self._client.connect("127.0.0.1", port, clean_start=False, properties=kept)
        self._client.subscribe("#", 1)
        self._client.loop_start()
        assert there.wait(10)

    def _hear(self, _client, _data, message):
        if message.topic == "mark":
            self._mark.set()
        else:
            self.messages.append(message)

    def heard(self):
        self._mark.clear()
        self._client.publish("mark", "", 1)
        assert self._mark.wait(20)
        return list(self.messages)

    def rows(self):
        return [json.loads(message.payload) for message in self.heard()]

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def listening(port):
    listener = Listener(port)
    try:
        yield listener
    finally:
        listener.close()


class TestMqtt5(OutletContract):
    tells_by_key = False
    many = 1200
    protocol = 5

    @pytest.fixture(autouse=True)
    def _broker(self, tmp_path):
        with mosquitto(tmp_path / "broker") as self.broker, listening(self.broker.port) as self.listener:
            yield

    def make(self, home):
        return spec(self.broker, protocol=self.protocol, columns=COLUMNS)

    def received(self, home):
        return [(row["id"], row["word"]) for row in self.listener.rows()]

    @contextmanager
    def down(self, home):
        self.broker.stop()
        try:
            yield
        finally:
            self.broker.start()


@pytest.mark.slow
class TestMqtt311(TestMqtt5):
    protocol = "3.1.1"


@pytest.fixture
def broker(tmp_path):
    with mosquitto(tmp_path / "broker") as found:
        yield found


@pytest.fixture
def listener(broker):
    with listening(broker.port) as found:
        yield found


def spec(broker, **options):
    return MqttOutlet.model_validate({"kind": "mqtt", "broker": broker.address, "topic": "decisions", **options})


@pytest.mark.parametrize("protocol", [5, "3.1.1"])
def test_a_message_for_each_row_on_a_topic_of_its_own(broker, listener, tmp_path, protocol):
    with opened(spec(broker, topic="decisions/{id}/new", protocol=protocol), tmp_path) as outlet:
        receipts = outlet.send(words(1, 2))
    assert [(one.taken, one.said) for one in receipts] == [(True, "decisions/k1/new"), (True, "decisions/k2/new")]
    there = {message.topic: message for message in listener.heard()}
    assert json.loads(there["decisions/k2/new"].payload) == {"id": "k2", "word": "w2", "score": 0.25}
    assert {message.qos for message in there.values()} == {1}
    keys = [getattr(message.properties, "UserProperty", None) for message in there.values()]
    assert keys == ([[("idempotency-key", "k1")], [("idempotency-key", "k2")]] if protocol == 5 else [None, None])


def test_a_thousand_rows_are_all_acknowledged(broker, listener, tmp_path):
    with opened(spec(broker), tmp_path) as outlet:
        assert all(receipt.taken for receipt in outlet.send(words(*range(1000))))
    assert {row["id"] for row in listener.rows()} == {f"k{number}" for number in range(1000)}


@pytest.mark.parametrize("customer", ["a/b", "+", "#", "", None, "a\0b"])
def test_a_value_that_would_be_another_topic_is_a_dead_letter(broker, listener, tmp_path, customer):
    with opened(spec(broker, topic="decisions/{customer}"), tmp_path) as outlet:
        receipts = outlet.send(parcel({"id": "x", "customer": customer}, {"id": "y", "customer": "b"}))
    assert [receipt.taken for receipt in receipts] == [False, True]
    assert "topic" in receipts[0].said
    assert [message.topic for message in listener.heard()] == ["decisions/b"]


def test_a_message_that_the_broker_does_not_take_for_its_size_is_a_dead_letter(tmp_path):
    with mosquitto(tmp_path / "broker", "max_packet_size 2000") as broker, listening(broker.port) as listener:
        rows = parcel({"id": "a", "word": "x"}, {"id": "b", "word": "x" * 3000}, {"id": "c", "word": "y"})
        with opened(spec(broker), tmp_path) as outlet:
            receipts = outlet.send(rows)
        assert [receipt.taken for receipt in receipts] == [True, False, True]
        assert "2,000 bytes" in receipts[1].said
        assert {row["id"] for row in listener.rows()} == {"a", "c"}


def test_a_topic_with_an_unknown_column_is_told_before_anything_is_sent(broker, listener, tmp_path):
    there = spec(broker, topic="decisions/{custmer}")
    with opened(there, tmp_path) as outlet, pytest.raises(InvalidInput, match="custmer") as caught:
        outlet.send(parcel({"customer": 1}))
    assert caught.value.code == "outlet_column_unknown"
    assert listener.heard() == []


@pytest.mark.parametrize("topic", ["a/#", "+/a", "", "$SYS/a"])
def test_a_topic_that_nobody_may_send_to(topic):
    with pytest.raises(ValidationError):
        MqttOutlet.model_validate({"kind": "mqtt", "broker": "b", "topic": topic})


def test_retained_messages_wait_for_whoever_comes_later(broker, tmp_path):
    with opened(spec(broker, topic="last/{id}", retain=True), tmp_path) as outlet:
        outlet.send(words(1))
    with listening(broker.port) as late:
        assert [(message.topic, message.retain) for message in late.heard()] == [("last/k1", True)]


def test_an_acknowledgement_that_is_lost_loses_nothing(broker, listener, tmp_path):
    """The broker cannot tell: what it took comes again, under the same key."""
    with relay(broker.port) as wire:
        there = spec(broker).model_copy(update={"broker": f"127.0.0.1:{wire.port}"})
        with opened(there, tmp_path) as outlet:
            wire.cut(1, 100)
            with pytest.raises(Transient):
                outlet.send(words(*range(50)))
            assert all(receipt.taken for receipt in outlet.send(words(*range(50))))
    keys = [dict(message.properties.UserProperty)["idempotency-key"] for message in listener.heard()]
    assert set(keys) == {f"k{number}" for number in range(50)}
    assert len(keys) > 50, "so the key is needed"


def test_a_broker_that_was_restarted_meanwhile(broker, tmp_path):
    with opened(spec(broker), tmp_path) as outlet:
        outlet.send(words(1))
        broker.stop()
        with pytest.raises(Transient) as caught:
            outlet.send(words(2))
        assert caught.value.code == "mqtt_unreachable"
        broker.start()
        assert outlet.send(words(2))[0].taken


def test_who_may_send_what(tmp_path):
    (tmp_path / "users").write_text("")
    (tmp_path / "rights").write_text("topic write open/#\n")
    with mosquitto(tmp_path / "broker", f"acl_file {tmp_path / 'rights'}") as broker:
        with opened(spec(broker, topic="open/{id}"), tmp_path) as outlet:
            assert outlet.send(words(1))[0].taken
        for rows in (words(1), words(1, 2, 3)):
            with opened(spec(broker, topic="closed/{id}"), tmp_path) as outlet, pytest.raises(Forbidden) as caught:
                outlet.send(rows)
            assert (caught.value.code, "closed/k1" in caught.value.hint) == ("mqtt_forbidden", True)


def test_a_login_that_is_refused_says_so_and_not_the_password(tmp_path):
    with mosquitto(tmp_path / "broker", "allow_anonymous false") as broker:
        there = spec(broker, user="mallory", password={"env": "WORD"})
        with opened(there, tmp_path, WORD="warm-sea") as outlet:
            for ask in (outlet.check, lambda: outlet.send(words(1))):
                with pytest.raises(Forbidden) as caught:
                    ask()
                assert (caught.value.code, "warm-sea" in f"{caught.value} {outlet!r}") == ("mqtt_login_refused", False)


def test_over_tls(tmp_path):
    pems = write_certificates(tmp_path / "pems")
    options = (f"cafile {pems.ca}", f"certfile {pems.certificate}", f"keyfile {pems.key}")
    with mosquitto(tmp_path / "broker", *options) as broker:
        with opened(spec(broker, tls={"ca": str(pems.ca)}), tmp_path) as outlet:
            assert outlet.check() == f"the broker {broker.address} takes the login"
            assert outlet.send(words(1))[0].taken
        with opened(spec(broker, tls={"ca": str(pems.other)}), tmp_path) as outlet, pytest.raises(InvalidInput):
            outlet.send(words(1))
