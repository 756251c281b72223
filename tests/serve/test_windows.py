"""A server that keeps windows: each event gets what the same SQL says of all, whoever answers, whatever happens."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx
import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.artifacts import Dataset, Release
from drivetrain.core.schema import Column, ColumnType
from drivetrain.core.windows import OnlineFeature, Step, Window, WindowPlan
from drivetrain.store.catalog import Catalog
from drivetrain.store.models import ModelContent
from drivetrain.store.tables import Commit, Table, schema_of
from drivetrain.testing.graphs import SIGNATURE, expected_score, logistic_model
from drivetrain.testing.releases import ReleaseMaker

from .conftest import SERVICE, Running, Start, ended, lake, running, settings_of, until

HOUR = 3_600_000_000
START = datetime(2026, 3, 1, tzinfo=UTC)
COLUMNS = (
    Column("card", ColumnType.TEXT, False),
    Column("amount", ColumnType.NUMBER),
    Column("bad", ColumnType.BOOLEAN),
)
FRAME = (
    "OVER (PARTITION BY card ORDER BY paid_at RANGE BETWEEN INTERVAL {} HOURS PRECEDING AND CURRENT ROW EXCLUDE TIES)"
)
REST = {"city": "Chur", "born": "1999-12-31", "seen": None}


def plan(hours: int) -> WindowPlan:
    key = ("card",)
    windows = (
        Window("count", key, "", "", hours * HOUR, True),
        Window("sum", key, "amount", "bad", hours * HOUR, True),
    )
    features = (
        OnlineFeature("age", (Step("window"),), False),
        OnlineFeature("income-per-month", (Step("window", number=1.0),), True),
        OnlineFeature("member", (Step("column", "bad"),), False),
    )
    return WindowPlan("payments", "case", "paid_at", COLUMNS, windows, features, 2 * HOUR)


def model(hours: int = 6) -> ModelContent:
    """The loans' model, three inputs of which are windows over payments."""
    made = logistic_model((-0.05, -0.005, -0.4, 0.3, 1e-10, 1e-10))
    return replace(made, signature=replace(SIGNATURE, windows=plan(hours)))


def payments(count: int, first: int = 0, seed: int = 1) -> list[dict[str, Any]]:
    """Payments of five cards, some of the same moment, two minutes apart in the mean; number 0 at START."""
    random = np.random.default_rng(seed)
    minutes = np.sort(random.integers(0, 2 * count, count)) + 2 * first
    return [
        {
            "case": f"p{first + at}",
            "paid_at": (START + timedelta(minutes=int(minute))).isoformat(),
            "card": f"c{random.integers(5)}",
            "amount": None if random.random() < 0.1 else float(random.integers(1, 5000)) / 100,
            "bad": bool(random.random() < 0.5),
        }
        for at, minute in enumerate(minutes)
    ]


def offline(found: list[dict[str, Any]], hours: int = 6) -> dict[str, tuple[float, float | None]]:
    """The count and the sum of each payment, by SQL over all of them."""
    with duckdb.connect() as connection:
        connection.register("payments", pa.Table.from_pylist(found))
        frame = FRAME.format(hours)
        rows = connection.execute(
            f'SELECT "case", count(*) {frame}, CAST(round(sum(amount) FILTER (WHERE bad) {frame}, 6) AS FLOAT) '
            "FROM (SELECT * REPLACE (CAST(paid_at AS TIMESTAMPTZ) AS paid_at) FROM payments)"
        ).fetchall()
    return {name: (float(count), total) for name, count, total in rows}


def enter(home: Path, found: list[dict[str, Any]]) -> None:
    """The payments as a source in the lake."""
    rows = pa.Table.from_pylist([{**row, "paid_at": datetime.fromisoformat(row["paid_at"])} for row in found])
    with Catalog(home) as catalog:
        version = Table(catalog.table_path("datasets", "payments")).append(rows, Commit("{}", "x", rows.num_rows))
        catalog.put(Dataset("payments", version, "d", rows.num_rows, 0, schema_of(rows.schema)))


@pytest.fixture
def windowed(maker: ReleaseMaker) -> Release:
    made = maker.release(model())
    maker.deploy(made)
    return made


def ask(server: Running, *rows: dict[str, Any]) -> httpx.Response:
    """On a connection of its own: the next one may come to another worker."""
    body = {"rows": [{**REST, **row} for row in rows]}
    return server.client.post("/v1/predict", json=body, headers={"connection": "close"})


def recorded(home: Path) -> dict[str, dict[str, Any]]:
    return {row["entity"]: row for row in lake(home, "predictions")}


def hold(home: Path, everything: list[dict[str, Any]], sent: list[dict[str, Any]], hours: int = 6) -> None:
    """What was recorded of ``sent`` is what the SQL says of ``everything``, and scored."""
    said, kept = offline(everything, hours), recorded(home)
    for row in sent:
        found = kept[row["case"]]
        inputs = found["inputs"]
        assert (inputs["age"], inputs["income-per-month"], inputs["member"]) == (*said[row["case"]], row["bad"])
        packed = [np.nan if value is None else value for value in (*said[row["case"]], row["bad"])]
        born = (datetime(1999, 12, 31, tzinfo=UTC)).timestamp()
        weights = (-0.05, -0.005, -0.4, 0.3, 1e-10, 1e-10)
        assert found["score"] == pytest.approx(expected_score([*packed, 2.0, born, np.nan], weights), abs=1e-12)


def test_two_workers_answer_as_the_sql_would_from_the_past_in_the_lake_on(
    start: Start, windowed: Release, home: Path
) -> None:
    past, sent = payments(400), payments(200, first=400, seed=2)
    enter(home, past)
    server = start(workers=2)
    for at in range(0, 100):
        assert ask(server, sent[at]).status_code == 200
    assert ask(server, *reversed(sent[100:])).status_code == 200  # all of a request are known to each other
    assert server.stop() == 0
    hold(home, past + sent, sent)
    assert sum(bool(path.stat().st_size) for path in (home / ".drivetrain").rglob("windows/*/*.log")) == 1


def test_the_past_outlives_the_server_and_any_of_its_processes(start: Start, windowed: Release, home: Path) -> None:
    sent = payments(120)
    server = start(workers=2)
    for row in sent[:40]:
        ask(server, row)
    workers = server.workers()
    os.kill(workers[0], signal.SIGKILL)
    assert ended(workers[0])
    until(lambda: len(server.workers()) == 2 and workers[0] not in server.workers())
    for row in sent[40:80]:
        assert ask(server, row).status_code == 200
    server.stop()
    with running(settings_of(home)) as second:
        for row in sent[80:]:
            assert ask(second, row).status_code == 200
    hold(home, sent, sent)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that knows one payment, of half past one."""
    maker = ReleaseMaker(tmp_path_factory.mktemp("windows"), SERVICE)
    maker.deploy(maker.release(model()))
    with running(settings_of(maker.home)) as server:
        ask(server, payment())
        yield server


def payment(case: object = "p0", at: datetime = START + timedelta(minutes=90), **more: object) -> dict[str, Any]:
    return {"case": case, "paid_at": at.isoformat(), "card": "c", "amount": 5.0, "bad": True, **more}


def test_an_event_that_is_sent_again_is_the_same_event(one: Running) -> None:
    sent = [{**row, "card": f"again {row['card']}"} for row in payments(30, first=60)]
    first = [ask(one, row).json()["predictions"][0]["score"] for row in sent]
    again = [ask(one, row).json()["predictions"][0]["score"] for row in sent]
    assert first == again
    assert [found["score"] for found in ask(one, *sent).json()["predictions"]] == first


@pytest.mark.parametrize(
    ("row", "code", "where"),
    [
        (payment(None), "event_unnamed", "rows[1].case"),
        (payment("late", START - timedelta(minutes=31)), "event_late", "rows[1].paid_at"),
        (payment("soon", datetime.now(UTC) + timedelta(hours=3)), "event_in_future", "rows[1].paid_at"),
        (payment("long", card="c" * 300), "event_long", "rows[1].case"),
        ({"case": "x", "card": "c", "amount": 1.0, "bad": True}, "field_missing", "rows[1].paid_at"),
        (payment(age=3), "field_unknown", "rows[1].age"),
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused_and_changes_nothing(
    one: Running, row: dict[str, Any], code: str, where: str
) -> None:
    before = ask(one, payment("p1", START + timedelta(minutes=95))).json()["predictions"][0]["score"]
    answer = ask(one, payment("bystander"), row)
    assert (answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["where"]) == (400, code, where)
    assert ask(one, payment("p1", START + timedelta(minutes=95))).json()["predictions"][0]["score"] == before


def test_columns_and_tensors_are_no_events(one: Running) -> None:
    tensor = {"inputs": [{"name": "row", "shape": [1, 6], "datatype": "FP64", "data": [0.0] * 6}]}
    answer = one.client.post(f"/v2/models/{SERVICE}/infer", json=tensor)
    assert answer.status_code == 400
    assert "takes events" in answer.json()["error"]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([("card", pa.string())])) as writer:
        writer.write_table(pa.table({"card": ["c"]}))
    headers = {"content-type": "application/vnd.apache.arrow.stream"}
    answer = one.client.post("/v1/predict", content=sink.getvalue().to_pybytes(), headers=headers)
    assert answer.json()["error"]["code"] == "event_needed"


def test_lines_are_events_too_and_reasons_speak_of_windows(one: Running) -> None:
    rows = [{**REST, **payment(f"line{at}", START + timedelta(minutes=100 + at))} for at in range(3)]
    lines = b"\n".join(httpx.Request("POST", "http://x", json=row).content for row in rows)
    told = one.client.post("/v1/predict", content=lines, headers={"content-type": "application/x-ndjson"})
    assert len(told.text.splitlines()) == 3
    answer = one.client.post(
        "/v1/predict?explain=true", json={"rows": [{**REST, **payment("why", START + timedelta(hours=2))}]}
    )
    fields = {reason["field"]: reason["value"] for reason in answer.json()["predictions"][0]["reasons"]}
    assert "age" in fields  # how many payments there were
    described = one.anyone.get("/openapi.json").json()["components"]["schemas"]["Row"]
    assert {"card", "amount", "bad", "paid_at", "case"} <= set(described["properties"])
    assert "age" not in described["properties"]


def test_a_challenger_with_other_windows_misses_nothing(
    start: Start, maker: ReleaseMaker, windowed: Release, home: Path
) -> None:
    past, sent = payments(50), payments(60, first=50, seed=2)
    enter(home, past)
    server = start(workers=2)
    for row in sent[:30]:
        ask(server, row)
    other = maker.release(model(hours=3))
    maker.deploy(windowed, other, share=0.5)
    server.deployed(3)
    for row in sent[30:]:
        assert ask(server, row).status_code == 200
    maker.deploy(other)
    server.deployed(4)
    last = payments(20, first=110, seed=3)
    for row in last:
        assert ask(server, row).status_code == 200
    maker.deploy(windowed)  # and back again
    server.deployed(5)
    back = payments(10, first=130, seed=4)
    for row in back:
        assert ask(server, row).status_code == 200
    assert server.stop() == 0
    everything = past + sent + last + back
    kept = recorded(home)
    longer, shorter = offline(everything, 6), offline(everything, 3)
    for row in sent + last + back:
        found = kept[row["case"]]
        said = shorter if found["release"] == str(other.ref) else longer
        assert (found["inputs"]["age"], found["inputs"]["income-per-month"]) == said[row["case"]]
    assert {found["release"] for found in kept.values()} == {str(other.ref), str(windowed.ref)}
