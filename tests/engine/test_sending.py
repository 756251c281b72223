"""Traffic of a project: usual, drifted, and what the monitor makes of both."""

import pytest

from drivetrain.core.errors import NotFound
from drivetrain.core.settings import Settings
from drivetrain.engine.project import Project
from drivetrain.engine.sending import CALLER, send
from drivetrain.engine.serving import Server


@pytest.fixture
def running(released):
    """A project whose service runs, with a drift that it knows of."""
    released.approve(released.release().ref, "read")
    released.deploy(released.release().ref)
    (released.home / "demo").mkdir(exist_ok=True)
    (released.home / "demo" / "drift.sql").write_text("SELECT * REPLACE (age + 30 AS age) FROM traffic")
    ready = released.catalog.state / "run" / f"{released.spec.service_name}.json"
    with Server(released.server_command(port=0), ready):
        yield released


def test_usual_traffic_and_then_drifted(running):
    sent = send(running, rows=400)
    assert (sent.predictions, sent.labels) == (400, 400)
    assert CALLER in running.key_names()
    assert send(running, rows=300, drift=True, labels=False).labels == 0
    assert "age" in {column.name for column in running.monitor().columns if column.alarm}
    file = running.home / "drivetrain.yaml"
    file.write_text(file.read_text().replace("monitor: {", "monitor: {ignore: [age], "))
    again = Project(running.home, Settings()).monitor()
    assert "age" not in {column.name for column in again.columns if column.alarm}


def test_a_project_without_a_drift_says_what_to_write(running):
    (running.home / "demo" / "drift.sql").unlink()
    with pytest.raises(NotFound, match="does not say how its traffic would drift"):
        send(running, rows=10, drift=True)
