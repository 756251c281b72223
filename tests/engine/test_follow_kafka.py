"""A followed source: a real process, a real broker; kills, outages and signals lose nothing and double nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import yaml
from tests.conftest import PROJECT, with_identities, write_small_project
from tests.servers.kafka import broker

from drivetrain.store.tables import Table

SECONDS = 40


@pytest.fixture(scope="module")
def kafka():
    with broker() as found:
        yield found


@dataclass
class Followed:
    """A project whose source ``clicks`` is a topic of two partitions."""

    project: object
    kafka: object
    topic: str

    @property
    def home(self):
        return self.project.home

    def send(self, ids):
        ids = list(ids)
        for partition in (0, 1):
            mine = [json.dumps({"id": number, "at": {"page": "a"}}) for number in ids if number % 2 == partition]
            if mine:
                self.kafka.send(self.topic, *mine, partition=partition)

    @contextmanager
    def process(self):
        command = [sys.executable, "-m", "drivetrain", "ingest", "clicks", "--follow", "--every", "0.2", "--json"]
        started = subprocess.Popen(
            command, cwd=self.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        try:
            yield started
        finally:
            started.kill()
            started.wait()
            started.stdout.close()
            started.stderr.close()

    def ids(self):
        table = Table(self.project.catalog.table_path("datasets", "clicks"))
        return sorted(table.read().column("id").to_pylist()) if table.exists() else []


@pytest.fixture
def followed(kafka, tmp_path, request):
    topic = request.node.name.replace("_", "-")
    kafka.create(topic, 2)
    home = write_small_project(tmp_path / "small-risk")
    spec = yaml.safe_load(PROJECT)
    source = {"kind": "kafka", "brokers": [kafka.address], "topics": [topic], "timeout_seconds": 2}
    spec["sources"]["clicks"] = {**source, "contract": {"key": ["id"], "max_bad_share": 1}}
    (home / "drivetrain.yaml").write_text(yaml.safe_dump(spec))
    project = with_identities(home)
    yield Followed(project, kafka, topic)
    project.catalog.close()


def until(process, enough):
    """Read the loads that a process tells of, until they are enough."""
    loads = []
    for line in process.stdout:
        loads.append(json.loads(line))
        if enough(loads):
            return loads
    raise AssertionError(f"it ended: {process.wait()} {loads[-3:]} {process.stderr.read()}")


def rows_of(loads):
    return sum(load["rows"] for load in loads)


def test_kills_while_messages_come_lose_and_double_nothing(followed):
    chance = random.Random(4)
    blocks = [range(start, start + 400) for start in range(0, 4000, 400)]
    sender = threading.Thread(target=lambda: [followed.send(block) for block in blocks])
    with followed.process() as first:
        sender.start()
        until(first, rows_of)
    for _ in range(3):
        with followed.process() as killed:
            try:
                killed.wait(chance.uniform(0.5, 3.0))
            except subprocess.TimeoutExpired:
                killed.send_signal(signal.SIGKILL)
    sender.join()
    followed.send([4000, 4001])
    with followed.process() as last:
        until(last, lambda loads: loads[-1]["waiting"] == 0 and loads[-1]["error"] is None)
    assert followed.ids() == list(range(4002))


def test_a_signal_ends_it_well_after_the_load(followed):
    followed.send(range(10))
    with followed.process() as process:
        loads = until(process, lambda loads: rows_of(loads) == 10)
        followed.send(range(10, 14))
        loads += until(process, lambda loads: rows_of(loads) == 4)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    assert loads[-1]["dataset"].startswith("dataset/clicks@")
    assert followed.ids() == list(range(14))


@pytest.mark.slow
def test_it_goes_on_after_an_outage_and_says_so(followed):
    followed.send(range(4))
    followed.kafka.process.send_signal(signal.SIGSTOP)
    with followed.process() as process:
        try:
            trouble = until(process, lambda loads: loads[-1]["error"])[-1]
        finally:
            followed.kafka.process.send_signal(signal.SIGCONT)
        assert (trouble["error"], trouble["rows"]) == ("kafka_unreachable", 0)
        until(process, lambda loads: rows_of(loads) == 4)
        followed.send(range(4, 8))
        until(process, lambda loads: rows_of(loads) == 4)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
    assert followed.ids() == list(range(8))


def test_an_empty_topic_is_waited_for(followed):
    stopped, told = threading.Event(), []

    def tell(load):
        told.append(load)
        if len(told) == 1:
            followed.send([1, 2])
        elif load.rows:
            stopped.set()

    followed.project.follow("clicks", every=0.1, stopped=stopped, tell=tell)
    assert (told[0].rows, told[-1].rows >= 1, followed.ids()[0]) == (0, True, 1)
