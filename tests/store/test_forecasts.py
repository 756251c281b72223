"""Forecasts in the lake: whole or not there, the newest of many, and how good they were."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from drivetrain.core.errors import NotFound
from drivetrain.store.catalog import Catalog
from drivetrain.store.forecasts import ORDERS, Forecasts, Run

FIRST = date(2026, 1, 5)


def run(name, origin, value, at=0):
    """Two items and their sum, two days ahead of an origin."""
    days = [FIRST + timedelta(days=origin + step) for step in (1, 2)]
    series = [("total", "total/all", 2 * value), ("item", "item/a", value), ("item", "item/b", value)]
    rows = [
        {
            "run": name, "release": "release/shop@1", "features": "features/shop@1",
            "made_at": datetime(2026, 1, 5, at, tzinfo=UTC), "origin": FIRST + timedelta(days=origin), "level": level,
            "series": one, "day": day, "step": step, "forecast": said, "low": said - 1, "high": said + 1,
        }
        for level, one, said in series
        for step, day in enumerate(days, 1)
    ]  # fmt: skip
    orders = {"run": [name], "origin": [FIRST + timedelta(days=origin)], "series": ["item/a"], "demand": [2 * value],
              "safety_stock": [1.0], "reorder_point": [2 * value + 1], "on_hand": [None], "order": [None]}  # fmt: skip
    return Run(name, pa.Table.from_pylist(rows), pa.table(orders, schema=ORDERS))


@pytest.fixture
def forecasts(tmp_path):
    with Catalog(tmp_path) as catalog:
        yield Forecasts(catalog, "shop")


def happened(forecasts, value, days):
    rows = [(series, FIRST + timedelta(days=day), value * (2 if series == "total/all" else 1))
            for series in ("total/all", "item/a", "item/b") for day in range(days)]  # fmt: skip
    forecasts.happened(
        pa.table(dict(zip(("series", "day", "actual"), map(list, zip(*rows, strict=True)), strict=True)))
    )


def test_nothing_was_forecast_yet(forecasts):
    with pytest.raises(NotFound, match="nothing was forecast yet"):
        forecasts.newest()
    with pytest.raises(NotFound):
        forecasts.accuracy()


def test_the_newest_run_of_the_newest_origin_counts(forecasts):
    for one in (run("first", 0, 5.0), run("second", 2, 6.0), run("third", 2, 7.0, at=3)):
        forecasts.add(one)
    assert [forecasts.has(name) for name in ("first", "third", "fourth")] == [True, True, False]
    assert forecasts.newest("item/a")["forecast"].to_pylist() == [7.0, 7.0]
    assert forecasts.series().sort_by("series").to_pylist()[0] == {
        "level": "item", "series": "item/a", "forecast": 14.0, "low": 12.0, "high": 16.0,
    }  # fmt: skip
    assert forecasts.orders("item/a")["reorder_point"].to_pylist() == [15.0]
    assert forecasts.orders().num_rows == 1
    with pytest.raises(NotFound, match="nothing was forecast of item/x"):
        forecasts.newest("item/x")


def test_orders_without_their_run_are_not_shown_and_not_doubled(forecasts):
    """A kill between the two commits."""
    made = run("first", 0, 5.0)
    forecasts.add(Run("first", made.rows.slice(0, 0), made.orders))
    assert not forecasts.has("first")
    forecasts.add(made)
    assert forecasts.orders().num_rows == 1


def test_history_and_what_happened_stand_side_by_side(forecasts):
    forecasts.add(run("first", 0, 5.0))
    forecasts.add(run("second", 1, 6.0))
    happened(forecasts, 4.0, days=3)
    assert forecasts.history("item/a", 5).select(["origin", "step", "forecast", "actual"]).to_pylist() == [
        {"origin": FIRST + timedelta(days=1), "step": 1, "forecast": 6.0, "actual": 4.0},
        {"origin": FIRST + timedelta(days=1), "step": 2, "forecast": 6.0, "actual": None},
        {"origin": FIRST, "step": 1, "forecast": 5.0, "actual": 4.0},
        {"origin": FIRST, "step": 2, "forecast": 5.0, "actual": 4.0},
    ]
    assert forecasts.history("item/a", 1).num_rows == 2
    seen = forecasts.seen("item/a", 2).to_pylist()
    assert [(row["actual"], row["forecast"]) for row in seen] == [(4.0, None), (4.0, 6.0), (None, 6.0)]


def test_accuracy_where_the_truth_has_arrived(forecasts):
    forecasts.add(run("first", 0, 5.0))
    forecasts.add(run("second", 1, 6.5))
    happened(forecasts, 4.0, days=3)
    found = {(row["origin"], row["level"]): row for row in forecasts.accuracy().to_pylist()}
    item = found[FIRST, "item"]
    assert (item["rows"], item["mae"], item["mean_error"], item["wape"], item["coverage"]) == (4, 1.0, 1.0, 0.25, 1.0)
    assert found[FIRST + timedelta(days=1), "item"]["rows"] == 2
    assert found[FIRST + timedelta(days=1), "item"]["coverage"] == 0.0
    steps = {row["step"]: row["rows"] for row in forecasts.accuracy(["step"]).to_pylist()}
    assert steps == {1: 6, 2: 3}


def test_what_happened_is_written_when_it_is_news(forecasts):
    happened(forecasts, 4.0, days=3)
    before = forecasts._actuals.version()
    happened(forecasts, 4.0, days=3)
    assert forecasts._actuals.version() == before
    happened(forecasts, 4.0, days=4)
    assert forecasts._actuals.version() == before + 1
