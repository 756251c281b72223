"""SIGKILL of loads from a real RabbitMQ, at the worst moments and at random ones: no message is lost or doubled."""

import pytest
from tests.ingest.killed_loads import Loads, kill_while_messages_come
from tests.servers.rabbitmq import rabbitmq

from drivetrain.core.sources.queues import AmqpSource


@pytest.fixture(scope="module")
def broker():
    with rabbitmq() as found:
        yield found


@pytest.fixture
def queue(broker, request):
    broker.declare(request.node.name)
    return request.node.name


@pytest.fixture
def loads(project, broker, queue):
    (project.home / "password").write_text("warm-sea")
    columns = {"id": {"type": "integer", "nullable": False}}
    spec = AmqpSource.model_validate(
        {"kind": "amqp", "broker": broker.address, "queue": queue, "user": "ada", "password": {"file": "password"},
         "quiet_seconds": 0.2, "prefetch": 20, "contract": {"columns": columns}}
    )  # fmt: skip
    found = Loads(
        project.home, spec,
        before_the_spool=["drivetrain.ingest.spool", "Spool.append"],
        before_the_acknowledgement=["drivetrain.connect.amqp", "Line.acknowledge"],
        after_the_acknowledgement=["drivetrain.ingest.amqp_inbox", "AmqpInbox._settle"],
        before_the_spool_forgets=["drivetrain.ingest.amqp_inbox", "AmqpInbox.forget"],
    )  # fmt: skip
    yield found
    found.close()


def send(broker, queue, ids):
    """The ids, and as many messages that all say the same, as sensors do."""
    broker.send(queue, *({"id": number} for one in ids for number in (one, -1)))


def test_kills_at_the_worst_moments(project, broker, queue, loads):
    sent = 0
    for moment in (
        "before the acknowledgement", "before the spool", "after the acknowledgement", "after the acknowledgement",
        "before the acknowledgement", "before the table", "", "before the spool forgets", "before the spool", "",
    ):  # fmt: skip
        send(broker, queue, range(sent, sent + 15))
        sent += 15
        assert loads.run(moment) == (None if moment else 2 * sent), moment
    assert project.column("id", "things") == [*[-1] * sent, *range(sent)]
    assert broker.waiting(queue) == 0


@pytest.mark.parametrize("kills", [pytest.param(3), pytest.param(100, marks=pytest.mark.slow)])
def test_kills_at_random_moments_while_messages_come(project, broker, queue, loads, kills):
    sent = kill_while_messages_come(loads, lambda numbers: send(broker, queue, numbers), kills, together=20)
    assert loads.run() == 2 * sent
    assert project.column("id", "things") == [*[-1] * sent, *range(sent)]
