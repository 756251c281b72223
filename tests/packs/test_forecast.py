"""The pack `forecast`, from the order lines of the wheel to its floor, and its intervals over rolling origins."""

from datetime import date, datetime, timedelta
from importlib.resources import files

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.artifacts import Features, Model, Report
from drivetrain.core.settings import Settings
from drivetrain.engine.create import create_project
from drivetrain.engine.project import Project
from drivetrain.ops.forecasting import series_rmse, wrmsse
from drivetrain.ops.saying import Saying
from drivetrain.store.cases import read_cases
from drivetrain.store.models import read_model

ORIGINS = 4
LAST = "max(day) AS last_day"


FIRST, DAYS = date(2010, 12, 9), 366


def lines():
    """A year of a shop of 40 items, a new one every week, and one that is announced on the last day."""
    chance = np.random.default_rng(7)
    launched = {f"{20_000 + number}": max(0, 7 * (number - 39)) for number in range(40 + 50)}
    rows = [
        (item, f"BAG {item}", int(chance.integers(1, 9)), FIRST + timedelta(days=day), 2.1)
        for item, first in launched.items()
        for day in range(first, DAYS)
        if day == first or chance.random() < 0.4
    ]
    rows.append(("30000", "BAG TO COME", 0, FIRST + timedelta(days=DAYS - 1), 1.9))
    names = ("StockCode", "Description", "Quantity", "InvoiceDate", "Price")
    told = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return pa.table(told | {"InvoiceDate": [datetime.combine(day, datetime.min.time()) for day in told["InvoiceDate"]]})


@pytest.fixture(scope="module")
def small():
    """The pack's SQL over that shop: the rows of ``cases`` and ``history``, joined."""
    folder = files("drivetrain.packs.forecast") / "features"
    with duckdb.connect() as connection:
        connection.register("lines", lines())
        for name in ("cases", "history"):
            connection.execute(f"CREATE TABLE {name} AS {(folder / f'{name}.sql').read_text()}")
        yield connection.execute("SELECT * FROM cases JOIN history USING (item, target_day)").to_arrow_table()


def test_an_item_without_a_sale_is_forecast_like_those_launched_at_its_price(small):
    open_rows = [row for row in small.to_pylist() if row["demand"] is None]
    announced = [row for row in open_rows if row["item"] == "30000"]
    assert len(announced) == 28
    assert {(row["life"], row["pattern"], row["age"], row["newest"]) for row in announced} == {
        ("under 28 days", "none", 1, 0.0)
    }
    assert all(row["swing"] > 0 and row["launch"] > 0 and row["launch_category"] > 0 for row in announced)
    new = {row["item"] for row in open_rows if row["life"] == "under 28 days"}
    assert new == {"20088", "20089", "30000"}, "the announced one, and those of the last four weeks"
    known = {row["item"]: row["launch"] for row in open_rows if row["life"] == "established"}
    assert len(known) > 80
    assert set(known.values()) == {None}, "who has a history of its own is not told how others began"


def test_what_the_calendar_says_is_known_of_days_to_come(small):
    told = {row["target_day"]: row for row in small.to_pylist()}
    closed = {day for day, row in told.items() if row["is_closed"]}
    assert max(told) == FIRST + timedelta(days=DAYS - 1 + 28)
    assert {date(2011, 12, 24), date(2011, 12, 25), date(2012, 1, 2), date(2011, 10, 1)} <= closed
    assert date(2011, 12, 22) not in closed
    assert {day for day, row in told.items() if row["is_bank_holiday"]} == {
        date(2011, 4, 22), date(2011, 4, 25), date(2011, 4, 29), date(2011, 5, 2), date(2011, 5, 30), date(2011, 8, 29),
    }  # fmt: skip


@pytest.fixture(scope="module")
def backtest(tmp_path_factory):
    """For each of the newest origins: the held-back cases, and what is said of them by a model that ends before it."""
    home = create_project(tmp_path_factory.mktemp("demand"), "forecast", Settings(), name="demand").home
    texts = {path: path.read_text() for path in (home / "features").glob("*.sql")}
    files = {path: text for path, text in texts.items() if LAST in text}
    assert {path.name for path in files} >= {"cases.sql", "history.sql"}
    found = []
    for back in range(ORIGINS):
        for path, text in files.items():
            path.write_text(text.replace(LAST, f"max(day) - {28 * back} AS last_day"))
        project = Project(home, Settings())
        project.run("train")
        cases = read_cases(project.catalog, project.catalog.latest(Features, "demand"), "test")
        content = read_model(project.catalog.folder(project.catalog.latest(Model, "demand").ref))
        found.append((cases, Saying(content.signature, content.decision, content.interval).say_alone(content.expected)))
    return found


def errors_of(cases, said, life):
    """Of the items at that time of their life: RMSE, that of the mean so far, and revenue."""
    rows = np.flatnonzero(np.array(cases.kept["life"].to_pylist()) == life)
    items = cases.entity.to_numpy(zero_copy_only=False)[rows]
    _, first, codes = np.unique(items, return_index=True, return_inverse=True)
    truth, naive = cases.label[rows], cases.inputs["mean_28"].to_numpy()[rows]
    errors = (series_rmse(truth, answer, codes) for answer in (said.score[rows], naive))
    return *errors, cases.kept["revenue"].to_numpy()[rows][first]


@pytest.mark.slow
@pytest.mark.timeout(3600)  # the four runs of `backtest` count for whichever test comes first
def test_demand_reaches_its_floors_on_the_newest_origin(backtest):
    errors, naive, revenue = errors_of(*backtest[0], life="established")
    assert len(errors) == 300
    assert naive.mean() == pytest.approx(0.606, abs=0.001)  # what was published for the mean of 28 days: the same items
    assert errors.mean() <= 0.590
    assert wrmsse(errors, revenue) <= 0.610


@pytest.mark.slow
@pytest.mark.timeout(3600)  # the four runs of `backtest` count for whichever test comes first
def test_new_items_are_forecast_better_than_by_what_they_sold_so_far(backtest):
    found = [errors_of(*one, life="under 28 days") for one in backtest]
    assert min(len(errors) for errors, _, _ in found) >= 20
    errors, naive = (np.concatenate([one[at] for one in found]).mean() for at in (0, 1))
    assert errors < naive


@pytest.mark.slow
@pytest.mark.timeout(3600)  # the four runs of `backtest` count for whichever test comes first
def test_intervals_hold_what_they_promise_over_rolling_origins(backtest):
    held = []
    for cases, said in backtest:
        low, high = said.outputs.T
        held.append(np.mean((cases.label >= low) & (cases.label <= high)))
    assert len(held) == ORIGINS
    assert 0.87 <= np.mean(held) <= 0.93


@pytest.mark.slow
def test_weekly_sales_are_forecast_better_than_by_the_year_before(tmp_path):
    home = create_project(tmp_path, "forecast", Settings(), name="weeks").home
    (home / "drivetrain.yaml").write_bytes((home / "weekly.yaml").read_bytes())
    project = Project(home, Settings())
    project.run("validate")
    report = project.catalog.latest(Report, "weeks")
    gates = {gate.gate: gate.measured for gate in report.gates}
    assert report.verdict == "pass"
    assert gates["series:department"].value <= 0.75
    assert gates["series:department:beats"].low > 0
