"""SIGKILL of loads from a real MQTT broker, at the worst moments and at random ones: no message is lost or doubled."""

import pytest
from tests.ingest.killed_loads import Loads, kill_while_messages_come
from tests.servers.mosquitto import mosquitto

from drivetrain.connect.place import Place
from drivetrain.core.contract import Contract
from drivetrain.core.sources.things import MqttSource
from drivetrain.ingest.reading import open_reader


@pytest.fixture
def broker(tmp_path):
    with mosquitto(tmp_path / "broker") as found:
        yield found


@pytest.fixture
def spec(broker):
    contract = Contract.model_validate({"columns": {"id": {"type": "integer", "nullable": False}}})
    return MqttSource(
        kind="mqtt", broker=broker.address, topics=("#",), client_id="kills", quiet_seconds=0.3, contract=contract
    )


@pytest.fixture
def loads(project, spec):
    found = Loads(
        project.home, spec,
        before_the_spool=["drivetrain.ingest.spool", "Spool.append"],
        before_the_acknowledgement=["drivetrain.ingest.mqtt_connection", "Connection.acknowledge"],
        after_the_acknowledgement=["drivetrain.ingest.mqtt_connection", "Connection.settle"],
        before_the_spool_forgets=["drivetrain.ingest.mqtt_inbox", "MqttInbox.forget"],
    )  # fmt: skip
    yield found
    found.close()


def subscribe(project, spec):
    """What is sent from now on is kept for the loads."""
    open_reader(spec, Place(project.home, project.catalog.state / "cache")).discover()


def send(broker, ids):
    """All the same but for the number: sensors say the same again and again."""
    broker.send(*(("plant/1", {"id": number, "temp": 21.5}) for number in ids))


def test_kills_at_the_worst_moments(project, broker, spec, loads):
    subscribe(project, spec)
    send(broker, range(50))
    sent = 50
    for moment in ("before the acknowledgement", "before the spool", "after the acknowledgement", "before the table"):
        assert loads.run(moment) is None, moment
        send(broker, range(sent, sent + 30))
        sent += 30
    assert loads.run() == sent
    send(broker, range(sent, sent + 30))
    sent += 30
    assert loads.run("before the spool forgets") is None
    assert loads.run() == sent
    assert project.column("id", "things") == list(range(sent))


@pytest.mark.parametrize("kills", [pytest.param(3), pytest.param(100, marks=pytest.mark.slow)])
def test_kills_at_random_moments_while_messages_come(project, broker, spec, loads, kills):
    subscribe(project, spec)
    sent = kill_while_messages_come(loads, lambda numbers: send(broker, numbers), kills)
    assert loads.run() == sent
    assert project.column("id", "things") == list(range(sent))
