"""The first outlet of a page delivers as it stands there, but for the address: by the command line."""

import json
import re
from contextlib import contextmanager

import pytest
import yaml
from tests.deliver.test_kafka import messages
from tests.deliver.test_mqtt import listening
from tests.house.conftest import ROOT
from tests.servers.crm_writes import CrmWriter
from tests.servers.kafka import broker
from tests.servers.mosquitto import mosquitto
from tests.servers.taking import running
from tests.servers.webhook import SECRET, Receiver

from drivetrain.testing.outlets import predict


def first_outlet(page):
    block = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "outlets" / f"{page}.md").read_text(), re.DOTALL)[1]
    ((name, outlet),) = yaml.safe_load(block)["outlets"].items()
    return name, outlet


@contextmanager
def webhook(outlet, folder):
    with running(Receiver()) as there:
        there.accepts = lambda headers: True
        yield {**outlet, "url": there.url}, lambda: [rows[0] for rows in there.rows.values()]


@contextmanager
def kafka(outlet, folder):
    with broker() as there:
        there.create(outlet["topic"], 2)
        plain = {name: value for name, value in outlet.items() if name not in {"sasl", "tls"}}
        here = {**plain, "brokers": [there.address]}
        yield here, lambda: [json.loads(message.value()) for message in messages(there, outlet["topic"])]


@contextmanager
def mqtt(outlet, folder):
    with mosquitto(folder / "broker") as there, listening(there.port) as listener:
        plain = {name: value for name, value in outlet.items() if name not in {"user", "password", "tls"}}
        yield {**plain, "broker": there.address}, listener.rows


@contextmanager
def crm(outlet, folder):
    with running(CrmWriter()) as there:
        there.accepts = lambda headers: headers["Authorization"].startswith("Basic ")
        yield {**outlet, "url": there.url}, lambda: [record.fields for record in there.records]


SEEN = {
    webhook: [{"customer": "w0", "risk": 25.0, "declined": False}, {"customer": "w1", "risk": 25.0, "declined": False}],
    kafka: [{"customer": "w0", "risk": 0.25}, {"customer": "w1", "risk": 0.25}],
    mqtt: [{"machine": "w0", "risk": 0.25}, {"machine": "w1", "risk": 0.25}],
    crm: [{"subject": f"Look at customer w{number}", "priority": "high", "comment": {"body": "The risk is 25.0 %."},
           "custom_fields": [{"id": 360001, "value": 25.0}]} for number in (0, 1)],
}  # fmt: skip


@pytest.mark.parametrize("there", SEEN, ids=lambda there: there.__name__)
def test_the_first_outlet_of_a_page_delivers(there, project, commands, tmp_path, monkeypatch):
    name, outlet = first_outlet(there.__name__)
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("ZENDESK_TOKEN", "warm-sea")
    with there(outlet, tmp_path) as (outlet_here, received):
        section = {"outlets": {name: {**outlet_here, "where": "NOT decision", "history": True}}}
        project.file.write_text(project.file.read_text() + yaml.safe_dump(section, sort_keys=False))
        predict(project.catalog, range(2), service="small-risk")
        tested = commands("outlets", "test", name, cwd=project.home).stdout
        assert f"✓ {name} ({there.__name__}) answers in" in tested
        delivered = commands("deliver", name, cwd=project.home).stdout
        assert "2 rows taken" in delivered
        assert "0 rows taken" in commands("deliver", cwd=project.home).stdout
        rows = [{column: row[column] for column in SEEN[there][0]} for row in received()]
    assert sorted(rows, key=str) == SEEN[there]
    assert "warm-sea" not in tested + delivered
