"""Held-back rows as traffic, and its drift."""

import pyarrow as pa
import pytest

from drivetrain.client import Client
from drivetrain.core.artifacts import Features
from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.engine.serving import Server
from drivetrain.engine.traffic import drifted, labelled, predicted
from drivetrain.store.cases import read_cases

ROWS = pa.table({"age": pa.array([30, 40], pa.int64()), "income": pa.array([12000.0, None])})


def test_drift_is_what_its_sql_says(tmp_path):
    sql = tmp_path / "drift.sql"
    sql.write_text("SELECT * REPLACE (income / 12 AS income, age + 1 AS age) FROM traffic")
    changed = drifted(ROWS, sql)
    assert changed.schema == ROWS.schema
    assert changed.to_pylist() == [{"age": 31, "income": 1000.0}, {"age": 41, "income": None}]


def test_a_drift_of_other_columns_says_which_file_to_correct(tmp_path):
    sql = tmp_path / "drift.sql"
    sql.write_text("SELECT * REPLACE (pressure + 1 AS pressure) FROM traffic")
    with pytest.raises(InvalidInput, match="pressure") as caught:
        drifted(ROWS, sql)
    assert "drift.sql" in caught.value.where


def test_a_service_that_is_not_there_is_transient():
    with Client("http://127.0.0.1:9", "key", retries=0) as client, pytest.raises(Transient, match="did not answer"):
        predicted(client, ROWS)


def test_a_running_service_answers_the_held_back_rows_and_hears_how_they_came_out(released):
    released.approve(released.release().ref, "read")
    released.deploy(released.release().ref)
    key = released.add_key("traffic")
    cases = read_cases(released.catalog, released.catalog.latest(Features, "small-risk"), "test")
    steps = []

    def progress(done, total=None, note=""):
        steps.append((done, total, note))

    ready = released.catalog.state / "run" / f"{released.spec.service_name}.json"
    with Server(released.server_command(port=0), ready) as server, Client(server.url, key) as client:
        predictions = predicted(client, cases.inputs, progress)
        labelled(client, predictions, cases, progress)
    assert len({prediction.id for prediction in predictions}) == len(cases)
    assert steps[-2:] == [
        (len(cases), len(cases), f"{len(cases):,} predictions"),
        (len(cases), len(cases), "outcomes"),
    ]
