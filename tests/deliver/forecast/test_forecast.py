"""Open rows as a forecast that adds up, kept once, with orders; on a small world whose demand is known."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.access.verification import verify_release
from drivetrain.core.artifacts import Features
from drivetrain.core.errors import InvalidInput
from drivetrain.core.forecast import ForecastSpec
from drivetrain.core.project import ModelSpec
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.core.task import Task
from drivetrain.deliver.forecast.asked import Asked
from drivetrain.deliver.forecast.forecast import forecast
from drivetrain.deliver.forecast.what_if import Change, read_change
from drivetrain.store.cases import BLOCK, SPLIT
from drivetrain.store.catalog import Catalog
from drivetrain.store.forecasts import Forecasts
from drivetrain.store.models import read_model
from drivetrain.store.tables import Commit, Table
from drivetrain.testing.releases import ReleaseMaker
from drivetrain.train.train import train

ITEMS = ("bag", "cup", "lamp", "mug")
GROUPS = {"bag": "out", "cup": "home", "lamp": "home", "mug": "home"}
SHARES = {"France": 0.25, "Ireland": 0.75}
SWING = dict(zip(ITEMS, (1.0, 2.0, 5.0, 10.0), strict=True))
ORIGINS, STEPS = 16, 7
START = date(2026, 1, 1)
PROJECT = "shop"


def demand(item, day):
    """Pieces on a day: more at the end of the week, and by chance."""
    chance = np.random.default_rng([ITEMS.index(item), day.toordinal()])
    return SWING[item] * max(0.0, 3.0 + 2.0 * (day.weekday() >= 5) + chance.normal(0, 0.5))


def rows_of(origins):
    """A row for each item and each of the seven days after an origin; the last origin is open."""
    found = []
    for at in origins:
        origin = START + timedelta(days=STEPS * (at + 1) - 1)
        for item in ITEMS:
            for step in range(1, STEPS + 1):
                day = origin + timedelta(days=step)
                truth = demand(item, day) / SWING[item] if at < ORIGINS - 1 else None
                part = "open" if truth is None else "test" if at == ORIGINS - 2 else "train"
                found.append((item, day, truth, part, origin, SWING[item], at, day.weekday() >= 5, 2.0))
    names = ("item", "day", "demand", SPLIT, "origin", "swing", BLOCK, "is_weekend", "price")
    return pa.table(dict(zip(names, map(list, zip(*found, strict=True)), strict=True)))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A catalog, what the release learned from, and the release."""
    home = tmp_path_factory.mktemp(PROJECT)
    with Catalog(home) as catalog:
        table = Table(catalog.table_path("features", PROJECT))
        version = table.overwrite(rows_of(range(ORIGINS)), Commit("", "first", 1))
        inputs = Schema((Column("is_weekend", ColumnType.BOOLEAN, False), Column("price", ColumnType.NUMBER, True)))
        features = Features(
            PROJECT, version, "first", "item", "demand", "day", inputs, (), (), (), Task.NUMBER,
            kept=("origin", "swing"), blocks="moments",
        )  # fmt: skip
        told = {"candidates": [{"learner": "linear"}], "budget": {"trials": 1}, "tracking": "off", "origins": 8}
        model = train(ModelSpec.model_validate(told), PROJECT, features, catalog)
        maker = ReleaseMaker(home, PROJECT)
        made = maker.release(read_model(catalog.folder(model.ref)))
        yield catalog, features, verify_release(catalog.folder(made.ref), maker.actors, expected=made.ref)


def actuals():
    days = [START + timedelta(days=at) for at in range(STEPS * ORIGINS)]
    rows = [
        (item, day, demand(item, day) * share, GROUPS[item], country)
        for item in ITEMS for day in days for country, share in SHARES.items()
    ]  # fmt: skip
    return pa.table(
        dict(zip(("item", "day", "value", "kind", "country"), map(list, zip(*rows, strict=True)), strict=True))
    )


def spec(**changes):
    told = {"origin": "origin", "scale": "swing", "actuals": "features/actuals.sql", "levels": ["kind"]}
    return ForecastSpec.model_validate(told | changes)


def run(world, name="shop", changes=(), on_hand=None, **told):
    catalog, features, release = world
    asked = Asked(spec(**told), name, features, features, actuals(), on_hand, tuple(changes))
    told, tables = forecast(asked, release, catalog)
    return told, tables["forecast"]


def by_series(rows, column="forecast"):
    found = {}
    for series, value in zip(rows["series"].to_pylist(), rows[column].to_pylist(), strict=True):
        found.setdefault(series, []).append(value)
    return {series: np.array(values) for series, values in found.items()}


@pytest.mark.parametrize("way", ["bottom_up", "least_squares", "minimum_trace"])
def test_what_is_forecast_adds_up_and_is_near_the_truth(world, way):
    told, rows = run(world, f"shop-{way}", reconcile=way)
    found = by_series(rows)
    assert set(found) == {"total/all", "kind/home", "kind/out", *(f"item/{item}" for item in ITEMS)}
    assert found["total/all"] == pytest.approx(sum(found[f"item/{item}"] for item in ITEMS))
    assert found["kind/home"] == pytest.approx(sum(found[f"item/{item}"] for item in ITEMS if GROUPS[item] == "home"))
    days = [told.origin + timedelta(days=step) for step in range(1, STEPS + 1)]
    for item in ITEMS:
        truth = np.array([demand(item, day) for day in days])
        assert found[f"item/{item}"] == pytest.approx(truth, abs=2.5 * SWING[item])
    assert told.total == pytest.approx(found["total/all"].sum())
    assert rows["day"].unique().to_pylist() == days


@pytest.mark.parametrize("way", ["bottom_up", "least_squares", "minimum_trace"])
def test_countries_cross_the_items_and_both_add_up(world, way):
    told, rows = run(world, f"abroad-{way}", reconcile=way, across="country")
    found = by_series(rows)
    assert told.series == len(found) == 3 + 2 + 4 + 8
    for country, share in SHARES.items():
        cells = [found[f"item*country/{item}*{country}"] for item in ITEMS]
        assert found[f"country/{country}"] == pytest.approx(sum(cells))
        assert found[f"country/{country}"] == pytest.approx(share * found["total/all"], rel=0.05)
    for item in ITEMS:
        cells = [found[f"item*country/{item}*{country}"] for country in SHARES]
        assert found[f"item/{item}"] == pytest.approx(sum(cells))
    for level in ("kind", "country", "item", "item*country"):
        parts = [values for name, values in found.items() if name.partition("/")[0] == level]
        assert found["total/all"] == pytest.approx(sum(parts))
    if way == "bottom_up":
        alone = by_series(run(world, "home")[1])
        assert all(found[name] == pytest.approx(values) for name, values in alone.items()), "what the model says stands"


def test_intervals_of_countries_hold_the_truth(world):
    told, rows = run(world, "abroad", across="country")
    low, high = by_series(rows, "low"), by_series(rows, "high")
    days = [told.origin + timedelta(days=step) for step in range(1, STEPS + 1)]
    for country, share in SHARES.items():
        held = []
        for name, items in (
            (f"country/{country}", ITEMS),
            *((f"item*country/{one}*{country}", (one,)) for one in ITEMS),
        ):
            truth = share * np.array([sum(demand(one, day) for one in items) for day in days])
            held.append((low[name] <= truth) & (truth <= high[name]))
        assert 0.7 <= np.mean(held) <= 1.0


def test_intervals_hold_the_truth_at_every_level(world):
    told, rows = run(world)
    low, high = by_series(rows, "low"), by_series(rows, "high")
    days = [told.origin + timedelta(days=step) for step in range(1, STEPS + 1)]
    truth = {f"item/{item}": np.array([demand(item, day) for day in days]) for item in ITEMS}
    truth["total/all"] = sum(truth.values())
    held = [(low[name] <= truth[name]) & (truth[name] <= high[name]) for name in truth]
    assert 0.75 <= np.mean(held) <= 1.0
    share = (high["total/all"] - low["total/all"]) / truth["total/all"]
    alone = (high["item/mug"] - low["item/mug"]) / truth["item/mug"]
    assert share.mean() < alone.mean(), "what adds up is surer than its parts"


def test_the_same_forecast_is_kept_once_and_another_beside_it(world):
    catalog, features, _ = world
    first, _ = run(world, "once")
    again, _ = run(world, "once")
    assert (first.is_new, again.is_new, first.run) == (True, False, again.run)
    other = (catalog, replace(features, digest="second"), world[2])
    newer, _ = run(other, "once")
    assert newer.is_new
    kept = Forecasts(catalog, "once")
    assert kept.newest()["run"].unique().to_pylist() == [newer.run]
    assert kept.history("item/bag", 5).num_rows == 2 * STEPS


def test_orders_last_until_the_delivery_after_the_next_look(world):
    on_hand = pa.table({"item": ["bag", "mug"], "on_hand": [0.0, 10_000.0], "pack": [6.0, 1.0]})
    stock = {"lead": 2, "review": 3, "service_level": 0.95, "on_hand": "features/stock.sql"}
    told, rows = run(world, "stocked", on_hand=on_hand, stock=stock)
    assert told.orders == len(ITEMS)
    orders = {row["series"]: row for row in Forecasts(world[0], "stocked").orders().to_pylist()}
    expected = by_series(rows)["item/bag"][:5].sum()
    bag, mug, lamp = orders["item/bag"], orders["item/mug"], orders["item/lamp"]
    assert bag["demand"] == pytest.approx(expected)
    assert bag["reorder_point"] == pytest.approx(bag["demand"] + bag["safety_stock"])
    assert bag["safety_stock"] > 0
    assert bag["order"] % 6 == 0
    assert bag["order"] >= bag["reorder_point"]
    assert mug["order"] == 0
    assert (lamp["on_hand"], lamp["order"]) == (None, None), "nobody said what is there"
    surer, _ = run(world, "surer", on_hand=on_hand, stock=stock | {"service_level": 0.99})
    assert surer.run != told.run
    more = {row["series"]: row for row in Forecasts(world[0], "surer").orders().to_pylist()}
    assert more["item/bag"]["reorder_point"] >= bag["reorder_point"]


def test_what_if_stands_beside_and_is_not_kept(world):
    told, rows = run(world, "asked", changes=[read_change("price=-10%")])
    assert told.what_if is not None
    assert rows.column_names[-1] == "what_if"
    assert Forecasts(world[0], "asked").newest().num_rows == rows.num_rows
    with pytest.raises(InvalidInput, match="takes no number 'prise'"):
        run(world, "asked", changes=[Change("prise", 1.0, 0.0)])


def test_what_if_speaks_of_some_days_and_of_a_yes_or_no(world):
    day = START + timedelta(days=STEPS * ORIGINS)
    _, rows = run(world, "holiday", changes=[read_change(f"is_weekend=1@{day}")])
    moved = {
        day for day, was, then in zip(*(rows[name].to_pylist() for name in ("day", "forecast", "what_if")), strict=True)
        if abs(was - then) > 1e-9
    }  # fmt: skip
    assert day.weekday() < 5
    assert moved == {day}
    with pytest.raises(InvalidInput, match="'is_weekend' is a yes or no"):
        run(world, "holiday", changes=[read_change("is_weekend=+1")])


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("a=-10%", Change("a", 0.9, 0.0)),
        ("a=+5", Change("a", 1.0, 5.0)),
        ("a=4.5", Change("a", 0.0, 4.5)),
        ("a=1@2026-01-05", Change("a", 0.0, 1.0, date(2026, 1, 5), date(2026, 1, 5))),
        ("a=-5@2026-01-05..2026-01-07", Change("a", 1.0, -5.0, date(2026, 1, 5), date(2026, 1, 7))),
    ],
)
def test_changes_are_read(text, change):
    assert read_change(text) == change


@pytest.mark.parametrize(
    "text", ["a", "a=", "=5", "a=x", "a=1e3", "a=--5", "a=1@", "a=1@2026-13-01", "a=1@..2026-01-01"]
)
def test_what_is_no_change_is_refused(text):
    with pytest.raises(InvalidInput, match="is no change of an input"):
        read_change(text)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"scale": "revenue"}, "forecast_unfit"),
        ({"levels": ["brand"]}, "column_missing"),
        ({"across": "brand"}, "column_missing"),
        ({"stock": {"lead": 9, "service_level": 0.9}}, "stock_unfounded"),
    ],
)
def test_what_does_not_fit_says_so(world, change, code):
    with pytest.raises(InvalidInput) as refused:
        run(world, "unfit", **change)
    assert refused.value.code == code
