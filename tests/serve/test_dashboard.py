"""The dashboard of a service that forecasts, over real HTTP: series, history, accuracy, CSV, keys, and the page."""

import csv
import io
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.serve.questions import read_question
from drivetrain.store.catalog import Catalog
from drivetrain.store.forecasts import ORDERS, Forecasts, Run
from drivetrain.testing.graphs import ROW

from .conftest import SERVICE, Running, Start, running, settings_of

FIRST = date(2026, 1, 5)
NAMES = ("total/all", "item/=bag", "item/mug and cup")


def forecast(name: str, origin: int) -> Run:
    made = datetime(2026, 1, 5 + origin, tzinfo=UTC)
    day = FIRST + timedelta(days=origin)
    rows = [
        {
            "run": name, "release": "release/loans@1", "features": "features/loans@1", "made_at": made, "origin": day,
            "level": series.partition("/")[0], "series": series, "day": day + timedelta(days=step), "step": step,
            "forecast": 5.0, "low": 4.0, "high": 6.0,
        }
        for series in NAMES
        for step in (1, 2)
    ]  # fmt: skip
    order = {"run": name, "origin": day, "series": NAMES[1], "demand": 9.0, "safety_stock": 3.0, "reorder_point": 12.0}
    return Run(
        name, pa.Table.from_pylist(rows), pa.Table.from_pylist([order | {"on_hand": 2.0, "order": 10.0}], ORDERS)
    )


@pytest.fixture(scope="module")
def desk(template: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of a service that forecasts: two origins, the truth of the first."""
    home = Path(shutil.copytree(template.home, tmp_path_factory.mktemp("desk") / "project"))
    with Catalog(home) as catalog:
        kept = Forecasts(catalog, SERVICE)
        for run in (forecast("first", 0), forecast("second", 2)):
            kept.add(run)
        days = [FIRST + timedelta(days=step) for step in range(3)]
        kept.happened(
            pa.Table.from_pylist([{"series": one, "day": day, "actual": 4.5} for one in NAMES for day in days])
        )
    with running(settings_of(home, forecasts=True)) as server:
        yield server


def test_series_are_listed_searched_and_paged(desk: Running) -> None:
    told = desk.client.get("/v1/series").json()
    assert (told["total"], {row["series"] for row in told["rows"]}) == (3, set(NAMES))
    assert told["rows"][0]["forecast"] == 10.0
    assert desk.client.get("/v1/series?level=item&contains=CUP").json()["rows"][0]["series"] == NAMES[2]
    page = desk.client.get("/v1/series?limit=1&offset=2").json()
    assert (page["total"], len(page["rows"])) == (3, 1)


def test_a_series_is_what_was_and_what_comes(desk: Running) -> None:
    told = desk.client.get("/v1/series/item/%3Dbag?days=2").json()
    assert (told["series"], told["origin"], told["release"]) == (NAMES[1], "2026-01-07", "release/loans@1")
    assert told["order"] == {
        "demand": 9.0, "safety_stock": 3.0, "reorder_point": 12.0, "on_hand": 2.0, "order": 10.0,
    }  # fmt: skip
    assert [(row["day"], row["actual"], row["forecast"]) for row in told["rows"]] == [
        ("2026-01-06", 4.5, None), ("2026-01-07", 4.5, None), ("2026-01-08", None, 5.0), ("2026-01-09", None, 5.0),
    ]  # fmt: skip
    assert desk.client.get("/v1/series/item/mug and cup").json()["order"] is None


def test_every_forecast_of_a_series_and_how_good_it_was(desk: Running) -> None:
    rows = desk.client.get("/v1/series/item/%3Dbag/forecasts").json()["rows"]
    assert [(row["origin"], row["step"], row["actual"]) for row in rows] == [
        ("2026-01-07", 1, None), ("2026-01-07", 2, None), ("2026-01-05", 1, 4.5), ("2026-01-05", 2, 4.5),
    ]  # fmt: skip
    assert len(desk.client.get("/v1/series/item/%3Dbag/forecasts?origins=1").json()["rows"]) == 2
    (good,) = [row for row in desk.client.get("/v1/accuracy").json()["rows"] if row["level"] == "item"]
    assert (good["origin"], good["rows"], good["mae"], good["coverage"]) == ("2026-01-05", 4, 0.5, 1.0)
    assert "step" not in good
    assert len(desk.client.get("/v1/accuracy?by=step,series").json()["rows"]) == 6


def test_a_spreadsheet_gets_csv_in_which_no_text_is_a_formula(desk: Running) -> None:
    answer = desk.client.get("/v1/series?level=item", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["series"] for row in rows] == ["item/=bag", "item/mug and cup"]
    for path in ("/v1/series/total/all", "/v1/series/total/all/forecasts", "/v1/accuracy"):
        assert desk.client.get(path, headers={"Accept": "text/csv"}).text.count("\r\n") > 1


@pytest.mark.parametrize("path", ["/v1/series", "/v1/series/total/all", "/v1/accuracy"])
def test_nobody_reads_without_a_key_and_refusals_are_counted(desk: Running, path: str) -> None:
    assert desk.anyone.get(path).status_code == 401
    wrong = desk.anyone.get(path, headers={"X-API-Key": "guessed"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "key_unknown")
    assert desk.client.post(path, json={}).status_code == 405


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/series/item/none", 404, "series_unknown"),
        ("/v1/series/", 404, "series_unknown"),
        ("/v1/series?page=2", 400, "query_invalid"),
        ("/v1/series?limit=-1", 400, "query_invalid"),
        ("/v1/accuracy?by=country", 400, "query_invalid"),
    ],
)
def test_what_is_not_there_says_so(desk: Running, path: str, status: int, code: str) -> None:
    answer = desk.client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_the_document_and_the_page_speak_of_them(desk: Running, server: Running) -> None:
    paths = desk.anyone.get("/openapi.json").json()["paths"]
    assert {"/v1/series", "/v1/series/{series}", "/v1/series/{series}/forecasts", "/v1/accuracy"} <= set(paths)
    page = desk.anyone.get("/forecasts")
    assert page.status_code == 200
    assert f"Forecasts of {SERVICE}" in page.text
    assert "$" not in page.text
    assert "/v1/series" not in server.anyone.get("/openapi.json").json()["paths"], "a service that forecasts nothing"
    assert server.client.get("/v1/series").status_code == 404


def test_a_service_answers_predictions_beside_it(desk: Running) -> None:
    assert desk.predict(ROW).status_code == 200


def test_a_service_that_has_not_forecast_yet(start: Start) -> None:
    fresh = start(forecasts=True)
    assert fresh.client.get("/v1/series").json()["error"]["code"] == "no_forecast"


def test_a_query_is_read_with_its_defaults() -> None:
    assert read_question("one", "item/a", "days=7").numbers == {"days": 7}
    assert read_question("accuracy", "", "").texts == {"by": "origin,level"}
    with pytest.raises(InvalidInput, match="days is '7x'"):
        read_question("one", "item/a", "days=7x")
