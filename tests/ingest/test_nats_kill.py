"""SIGKILL of loads from a real NATS server, at the worst moments and at random ones: nothing is lost or doubled."""

import json

import pytest
from tests.ingest.killed_loads import Loads, kill_while_messages_come
from tests.servers.nats import nats

from drivetrain.core.contract import Contract
from drivetrain.core.sources.queues import NatsSource


@pytest.fixture
def server(tmp_path):
    with nats(tmp_path / "server") as found:
        found.make("jobs", retention="workqueue")
        yield found


@pytest.fixture
def loads(project, server):
    contract = Contract.model_validate({"columns": {"id": {"type": "integer", "nullable": False}}})
    spec = NatsSource(kind="nats", servers=(server.address,), stream="jobs", durable="ours", contract=contract)
    found = Loads(
        project.home, spec,
        in_the_middle=["drivetrain.ingest.letters", "LetterRows.batch"],
        before_the_acknowledgement=["drivetrain.ingest.nats_stream", "Stream.acknowledge"],
        among_the_acknowledgements=["drivetrain.connect.nats", "Connection.tell"],
    )  # fmt: skip
    yield found
    found.close()


def send(server, ids):
    server.send("jobs", *(json.dumps({"id": number, "temp": 21.5}) for number in ids))


def test_kills_at_the_worst_moments(project, server, loads):
    sent = 0
    for moment in (
        "in the middle", "before the table", "before the acknowledgement", "among the acknowledgements", "",
        "before the acknowledgement", "in the middle", "",
    ):  # fmt: skip
        send(server, range(sent, sent + 30))
        sent += 30
        assert loads.run(moment) == (None if moment else sent), moment
    assert project.column("id", "things") == list(range(sent))


@pytest.mark.parametrize("kills", [pytest.param(3), pytest.param(100, marks=pytest.mark.slow)])
def test_kills_at_random_moments_while_messages_come(project, server, loads, kills):
    sent = kill_while_messages_come(loads, lambda numbers: send(server, numbers), kills, longest=0.6)
    assert loads.run() == sent
    assert project.column("id", "things") == list(range(sent))
