import http.server
import socket
import sqlite3
import threading

import pytest

from drivetrain.core.errors import MissingExtra
from drivetrain.store.tracking import DATABASE, Experiment, TrialRecord, open_tracker

RUN = Experiment("risk", "features/loans@3", "key", {"metric": "roc_auc"})


def record(number: int, score: float = 0.8) -> TrialRecord:
    return TrialRecord(number, "xgboost", "complete", {"max_depth": "4"}, {"roc_auc": score, "seconds": 2.5})


def rows(state, sql: str):
    with sqlite3.connect(state / DATABASE) as database:
        return database.execute(sql).fetchall()


def tracked(state, *numbers: int, address: str = "sqlite") -> str:
    with open_tracker(address, state, RUN) as tracker:
        for number in numbers:
            tracker.record(record(number))
        return tracker.close({"roc_auc": 0.81}, patience=240)


def test_every_trial_is_a_nested_run_and_a_second_search_adds_only_what_is_new(tmp_path):
    assert tracked(tmp_path, 0, 1) == "sqlite"
    assert tracked(tmp_path, 0, 1, 2) == "sqlite"
    names = [name for (name,) in rows(tmp_path, "select name from runs where lifecycle_stage = 'active' order by name")]
    assert names == ["0 xgboost", "1 xgboost", "2 xgboost", "features/loans@3"]
    parents = rows(tmp_path, "select count(distinct value) from tags where key = 'mlflow.parentRunId'")
    assert parents == [(1,)]
    assert rows(tmp_path, "select value from metrics where key = 'seconds'") == [(2.5,)] * 3
    assert {
        duration for (duration,) in rows(tmp_path, "select end_time - start_time from runs where name like '_ %'")
    } == {2500}
    assert rows(tmp_path, "select distinct status from runs") == [("FINISHED",)]
    assert not list(tmp_path.rglob("mlruns"))


def test_off_is_off(tmp_path):
    assert tracked(tmp_path, 0, address="off") == "off"
    assert not list(tmp_path.iterdir())


def test_a_server_that_is_down_costs_the_records_and_nothing_else(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    said = tracked(tmp_path, *range(50), address=address)
    assert said.startswith(f"not recorded: {address}: ")


def test_a_server_that_never_answers_is_given_up(tmp_path):
    release = threading.Event()

    class Silent(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            release.wait()

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        with open_tracker(address, tmp_path, RUN) as tracker:
            tracker.record(record(0))
            assert tracker.close({}, patience=0.2) == f"not recorded: {address} did not answer in time"
        release.set()
        server.shutdown()


def test_a_failed_search_leaves_no_process(tmp_path):
    with pytest.raises(ValueError, match="search"), open_tracker("sqlite", tmp_path, RUN) as tracker:
        raise ValueError("search")
    assert tracker.ended


def test_without_mlflow_the_install_line_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra) as caught:
        open_tracker("sqlite", tmp_path, RUN)
    assert "drivetrain[tracking]" in caught.value.hint
