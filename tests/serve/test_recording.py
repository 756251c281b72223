"""What was answered gets into the lake, whatever becomes of the process that brings it there."""

from __future__ import annotations

import json
import os
import signal

from drivetrain.store.catalog import Catalog
from drivetrain.store.segments import waiting_bytes
from drivetrain.store.tables import Table
from drivetrain.testing.graphs import ROW

from .conftest import SERVICE, Running, Start, ended, lake, until


def in_lake(server: Running) -> int:
    """The rows of the table as they are, without helping."""
    with Catalog(server.home) as catalog:
        table = Table(catalog.table_path("predictions", SERVICE))
        return len(table.read()) if table.exists() else 0


def test_predictions_stand_in_the_lake_as_they_were_made(start: Start) -> None:
    server = start(roll_seconds=1000)
    answer = server.predict({**ROW, "case": "c-7"}).json()
    assert server.stop() == 0
    with Catalog(server.home) as catalog:
        assert list(catalog.journal_path(SERVICE).glob("predictions-*")) == []
    (row,) = lake(server.home, "predictions")
    (prediction,) = answer["predictions"]
    assert row["prediction_id"] == prediction["id"]
    assert (row["score"], row["decision"]) == (prediction["score"], prediction["decision"])
    assert (row["release"], row["entity"]) == (answer["release"], "c-7")
    assert row["caller"].startswith("caller-")
    assert json.loads(json.dumps(row["inputs"], default=lambda value: value.isoformat())) == {
        **ROW, "seen": "2026-01-31T12:00:00+00:00"
    }  # fmt: skip


def test_a_recorder_that_was_killed_is_started_again_and_goes_on(start: Start) -> None:
    server = start(roll_seconds=0.05)
    server.predict(ROW)
    os.kill(recorder := server.recorder(), signal.SIGKILL)
    assert ended(recorder)
    server.predict(ROW)
    until(lambda: in_lake(server) == 2, every=0.1)
    until(lambda: server.metrics()["drivetrain_journal_waiting_bytes", SERVICE] == 0, every=0.1)
    assert server.recorder() != recorder


def test_the_recorder_ends_with_its_server_and_has_moved_everything(start: Start) -> None:
    server = start(roll_seconds=1000)
    server.predict(*[ROW] * 7)
    recorder, journal = server.recorder(), Catalog(server.home)
    server.kill()
    assert ended(recorder)
    with journal as catalog:
        assert in_lake(server) == 7
        assert waiting_bytes(catalog.journal_path(SERVICE)) == 0 or all(map(ended, server.begun))
