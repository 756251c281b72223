"""SIGKILL of loads from a real MQTT broker, at the worst moments and at random ones: no message is lost or doubled."""

import os
import random
import signal
import subprocess
import sys
import threading

import pytest
from tests.servers.mosquitto import mosquitto

from drivetrain.connect.place import Place
from drivetrain.core.sources.things import MqttSource
from drivetrain.ingest.reading import open_reader

SCRIPT = """
import os, signal, sys
from pathlib import Path
from drivetrain.core.errors import InvalidInput
from drivetrain.core.sources.things import MqttSource
from drivetrain.ingest import ingest, mqtt_connection, mqtt_inbox, spool
from drivetrain.store.catalog import Catalog

def before(owner, name):
    def dies(*_):
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(owner, name, dies)

moments = {
    "before the spool": (spool.Spool, "append"),
    "before the acknowledgement": (mqtt_connection.Connection, "acknowledge"),
    "after the acknowledgement": (mqtt_connection.Connection, "settle"),
    "before the table": (ingest, "_commit"),
    "before the spool forgets": (mqtt_inbox.Inbox, "forget"),
}
home, address = Path(sys.argv[1]), sys.argv[2]
spec = MqttSource.model_validate({
    "kind": "mqtt", "broker": address, "topics": ["#"], "client_id": "kills", "quiet_seconds": 0.3,
    "contract": {"columns": {"id": {"type": "integer", "nullable": False}}},
})

def load(moment):
    if moment:
        before(*moments[moment])
    with Catalog(home) as catalog:
        try:
            return ingest.ingest(spec, "things", catalog).rows
        except InvalidInput as error:
            assert error.code == "no_rows", error
            return 0

for line in sys.stdin:  # a child for each load: what is imported is there already
    child = os.fork()
    if not child:
        print(load(line.strip()), flush=True)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Loads:
    """Loads one after the other, each in a process of its own."""

    def __init__(self, home, address):
        command = [sys.executable, "-c", SCRIPT, str(home), address]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def start(self, moment=""):
        """The id of the process that loads."""
        self._process.stdin.write(f"{moment}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def finish(self):
        """The rows of the table; None when the load was killed."""
        said = int(self._process.stdout.readline())
        if said == -signal.SIGKILL:
            return None
        assert self._process.stdout.readline() == "0\n"
        return said

    def run(self, moment=""):
        self.start(moment)
        return self.finish()

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


@pytest.fixture
def broker(tmp_path):
    with mosquitto(tmp_path / "broker") as found:
        yield found


@pytest.fixture
def loads(project, broker):
    found = Loads(project.home, broker.address)
    yield found
    found.close()


def subscribe(project, broker):
    """What is sent from now on is kept for the loads."""
    spec = MqttSource(kind="mqtt", broker=broker.address, topics=("#",), client_id="kills")
    open_reader(spec, Place(project.home, project.catalog.state / "cache")).discover()


def send(broker, ids):
    """All the same but for the number: sensors say the same again and again."""
    broker.send(*(("plant/1", {"id": number, "temp": 21.5}) for number in ids))


def test_kills_at_the_worst_moments(project, broker, loads):
    subscribe(project, broker)
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
def test_kills_at_random_moments_while_messages_come(project, broker, loads, kills):
    subscribe(project, broker)
    chance, over, sent = random.Random(kills), threading.Event(), [0]

    def chatter():
        while not over.is_set():
            send(broker, range(sent[0], sent[0] + 40))
            sent[0] += 40
            over.wait(0.02)

    sender = threading.Thread(target=chatter)
    sender.start()
    try:
        for _ in range(kills):
            child = loads.start()
            over.wait(chance.uniform(0, 0.8))
            os.kill(child, signal.SIGKILL)
            assert loads.finish() is None
    finally:
        over.set()
        sender.join()
    assert loads.run() == sent[0]
    assert project.column("id", "things") == list(range(sent[0]))
