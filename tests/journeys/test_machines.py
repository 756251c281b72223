"""A plant whose sensors speak MQTT: from the broker to the lake, to windows kept by the server, and back as alarms."""

import json
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest
from tests.conftest import with_identities
from tests.deliver.test_mqtt import listening
from tests.servers.mosquitto import mosquitto

from drivetrain.connect.place import Place
from drivetrain.core.artifacts import Report
from drivetrain.core.refs import Kind
from drivetrain.engine.serving import Server
from drivetrain.ingest.reading import open_reader
from drivetrain.store.tables import Table

PROJECT = """\
project: plant
sources:
  readings:
    kind: mqtt
    broker: {broker}
    topics: [plant/+/sensors]
    client_id: plant-tests
    metadata: false
    quiet_seconds: 0.2
    contract:
      key: [reading]
      columns:
        reading: {{type: text, nullable: false}}
        machine: {{type: text, nullable: false}}
        read_at: {{type: timestamp, nullable: false}}
        heat: {{type: number, nullable: false}}
        fails: {{type: integer, min: 0, max: 1}}
features:
  spine: features/cases.sql
  entity: reading
  label: fails_soon
  time: read_at
  tables:
    heat: {{sql: features/heat.sql, online: true}}
  split: {{by: chance, test: 0.3, seed: 0}}
  leaks: {{max_single_auc: 1.0, max_duplicates: 1.0, allow: [heat]}}
model:
  candidates: [{{learner: logistic}}]
  budget: {{trials: 1}}
  decision: {{kind: threshold, value: 0.5}}
  tracking: "off"
gates: {{roc_auc: {{min: 0.9}}, leakage: null, slices: null, robustness: null, latency: null, calibration: null}}
service: {{port: 0}}
outlets:
  inspections:
    kind: mqtt
    broker: {broker}
    topic: plant/{{machine}}/alarms
    alarm: {{by: "split_part(entity, '/', 1)", flags: 3, of: 4}}
    columns: {{machine: "split_part(entity, '/', 1)", reading: entity, alarm: alarm}}
"""
CASES = "SELECT reading, read_at, fails = 1 AS fails_soon FROM readings WHERE fails IS NOT NULL\n"
HEAT = """\
SELECT
    reading,
    heat,
    avg(heat) OVER lately AS heat_lately,
    count(*) OVER lately AS readings_lately
FROM readings
WINDOW lately AS (PARTITION BY machine ORDER BY read_at
    RANGE BETWEEN INTERVAL 10 MINUTES PRECEDING AND CURRENT ROW EXCLUDE TIES)
"""
USUAL, HOT = 60.0, 90.0
SENT = ("reading", "machine", "heat")
OLD = 24
NOW = datetime.now(UTC).replace(microsecond=0)


def reading(machine, minute, heat, fails=None):
    """A message of a machine, that many minutes after the beginning of the day before."""
    at = NOW - timedelta(days=1) + timedelta(minutes=minute)
    told = {"reading": f"{machine}/{minute}", "machine": machine, "read_at": at.isoformat(), "heat": heat}
    return f"plant/{machine}/sensors", told | ({} if fails is None else {"fails": fails})


def past():
    """Two dozen machines for half an hour; every third gets hot in its last ten minutes, and fails."""
    draw = np.random.default_rng(0)
    for number in range(OLD):
        for minute in range(30):
            hot = number % 3 == 0 and minute >= 20
            yield reading(f"old{number}", minute, float(draw.normal(HOT if hot else USUAL, 6.0)), int(hot))


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    """The broker, somebody who listens to it, and a project that serves what was learned from the past."""
    folder = tmp_path_factory.mktemp("plant")
    with ExitStack() as opened:
        broker = opened.enter_context(mosquitto(folder / "broker"))
        (folder / "features").mkdir()
        (folder / "drivetrain.yaml").write_text(PROJECT.format(broker=broker.address))
        (folder / "features/cases.sql").write_text(CASES)
        (folder / "features/heat.sql").write_text(HEAT)
        project = with_identities(folder)
        opened.callback(project.catalog.close)
        open_reader(project.spec.sources["readings"], Place(folder, folder / ".drivetrain" / "cache")).discover()
        broker.send(*past())
        project.run()
        deployer = project.as_actor("alex")
        deployer.approve(comment="read the card")
        deployer.deploy()
        headers = {"Authorization": f"Bearer {deployer.add_key('gateway')}"}
        server = opened.enter_context(
            Server(project.server_command(port=0), project.catalog.state / "run" / "plant.json")
        )
        client = opened.enter_context(httpx.Client(base_url=server.url, headers=headers))
        yield broker, opened.enter_context(listening(broker.port)), project, client


def forward(project, client, known):
    """What a gateway does: take in what the broker has, and ask about every reading that is new."""
    project.run("ingest")
    rows = Table(project.catalog.table_path("datasets", "readings")).read().to_pylist()
    fresh = sorted((row for row in rows if row["reading"] not in known), key=lambda row: row["read_at"])
    known |= {row["reading"] for row in fresh}
    asked = [{name: row[name] for name in SENT} | {"read_at": row["read_at"].isoformat()} for row in fresh]
    answer = client.post("/v1/predict", json={"rows": asked}).raise_for_status().json()
    return dict(zip([row["reading"] for row in asked], answer["predictions"], strict=True))


def test_readings_come_by_mqtt_windows_are_kept_and_an_alarm_goes_out_once(plant):
    broker, listener, project, client = plant
    report = project.get(Report, project.list(Kind.REPORT)[0].ref)
    parity = next(gate for gate in report.gates if gate.gate == "parity")
    assert "every window, event by event, is what the SQL says" in parity.detail
    known = {f"old{number}/{minute}" for number in range(OLD) for minute in range(30)}
    project.as_actor("alex").deliver()  # the outlet begins here
    said, hot = {}, range(12, 18)
    for first in range(0, 40, 10):
        minutes = range(first, first + 10)
        pump = [reading("pump", 60 + at, HOT if at in hot else USUAL) for at in minutes]
        fan = [reading("fan", 60 + at, HOT if at == 20 else USUAL) for at in minutes]
        broker.send(*pump, *fan)
        said |= forward(project, client, known)
        project.as_actor("alex").deliver()
    assert len(said) == 80
    assert not any(said[f"fan/{60 + at}"]["decision"] for at in range(40) if at != 20)
    told = [json.loads(message.payload) for message in listener.heard() if message.topic.endswith("/alarms")]
    assert [(one["machine"], one["alarm"]) for one in told] == [("pump", "raised"), ("pump", "cleared")]
    raised, cleared = (int(one["reading"].partition("/")[2]) - 60 for one in told)
    assert raised in range(hot[0] + 2, hot[-1] + 3)
    assert cleared > hot[-1] + 3
