"""An online table: its SQL as a plan, and what no server can keep, refused by the name of the column."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.core.schema import ColumnType
from drivetrain.core.windows import Event, Step, Window
from drivetrain.ops.events import value_of
from drivetrain.ops.windows import WindowState
from drivetrain.store.tables import Table

SPINE = "SELECT payment AS id, paid_at, fraud AS y FROM payments"
DAY = "PARTITION BY card ORDER BY paid_at RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW EXCLUDE"
HOUR = 3_600_000_000


@pytest.fixture
def payments(project):
    """800 payments of 40 cards in ten days, some at the same moment, with gaps."""
    random = np.random.default_rng(7)
    size = 800
    start = datetime(2026, 3, 1, tzinfo=UTC)
    minutes = np.sort(random.integers(0, 10 * 24 * 60, size))
    rows = {
        "payment": random.permutation(size) * 3 + 11,
        "card": pa.array([f"c{card}" for card in random.integers(0, 40, size)], mask=random.random(size) < 0.05),
        "paid_at": [start + timedelta(minutes=int(minute)) for minute in minutes],
        "amount": pa.array(random.lognormal(3, 1, size).round(2), mask=random.random(size) < 0.1),
        "shop": [f"s{shop}" for shop in random.integers(0, 12, size)],
        "declined": random.random(size) < 0.2,
        "fraud": random.random(size) < 0.3,
        "day": [start.date()] * size,
    }
    project.source("payments", rows)
    return project


def prepared(project, columns: str, **table: object):
    text = f"SELECT payment AS id, {columns}"
    path = project.sql("features/velocity.sql", text if " FROM " in columns else f"{text} FROM payments")
    tables = {"velocity": {"sql": path, "online": True} | table}
    return project.prepare(SPINE, time="paid_at", tables=tables, split={"by": "chance"})


def test_the_windows_become_a_plan(payments):
    features = prepared(
        payments,
        f"""count(*) OVER day AS n, sum(amount) FILTER (WHERE declined) OVER day AS lost,
            count(DISTINCT card) OVER (PARTITION BY shop, card ORDER BY paid_at
                RANGE BETWEEN INTERVAL '2 hours' PRECEDING AND CURRENT ROW EXCLUDE GROUP) AS cards,
            amount / avg(amount) OVER day AS relative, amount, hour(paid_at) AS hour
            FROM payments WINDOW day AS ({DAY} TIES)
        """,
        late_hours=2,
    )
    plan = features.windows
    assert plan is not None
    assert (plan.source, plan.entity, plan.time, plan.late_micros) == ("payments", "payment", "paid_at", 2 * HOUR)
    assert {column.name: column.type for column in plan.columns} == {
        "card": ColumnType.TEXT, "amount": ColumnType.NUMBER, "declined": ColumnType.BOOLEAN, "shop": ColumnType.TEXT,
    }  # fmt: skip
    assert plan.windows == (
        Window("count", ("card",), "", "", 24 * HOUR, True),
        Window("sum", ("card",), "amount", "declined", 24 * HOUR, True),
        Window("distinct", ("shop", "card"), "card", "", 2 * HOUR, False),
        Window("avg", ("card",), "amount", "", 24 * HOUR, True),
    )
    relative = next(feature for feature in plan.features if feature.name == "relative")
    assert relative.steps == (Step("column", "amount"), Step("window", number=3.0), Step("/"))
    assert {feature.name for feature in plan.features if feature.rounded} == {"lost", "relative"}
    assert plan.kept_micros == 26 * HOUR


def test_the_plan_says_what_the_sql_says_of_every_row(payments):
    features = prepared(
        payments,
        f"""count(*) OVER own AS n, count(amount) OVER own AS amounts, sum(amount) OVER own AS total,
            avg(amount) OVER past AS mean, min(amount) OVER past AS least, max(amount) OVER own AS most,
            stddev(amount) OVER own AS spread, count(DISTINCT shop) OVER past AS shops,
            count(*) FILTER (WHERE declined) OVER past AS declines, sum(declined) OVER own AS refusals,
            epoch(paid_at) - epoch(max(paid_at) OVER past) AS since, shop, declined,
            coalesce(amount, 0) / nullif_free AS share, isodow(paid_at) AS weekday, hour(paid_at) < 6 AS night
            FROM payments WINDOW own AS ({DAY} TIES), past AS ({DAY} GROUP)""".replace("nullif_free", "(2.5 * 2)"),
    )
    plan = features.windows
    assert plan is not None
    state = WindowState(plan)
    names = [column.name for column in plan.columns]
    rows = {row["id"]: row for row in payments.rows(features).to_pylist()}
    source = Table(payments.catalog.table_path("datasets", "payments")).read().to_pylist()
    for row in sorted(source, key=lambda row: row["paid_at"]):
        at = round(row["paid_at"].timestamp() * 1e6)
        event = Event(str(row["payment"]), at, tuple(value_of(row[name]) for name in names))
        state.add(event)
        said = dict(zip(plan.names, state.features(event), strict=True))
        assert said == {name: value_of(rows[row["payment"]][name]) for name in plan.names}


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (f"count(*) OVER ({DAY[:-8]}) AS n",
         "column 'n' counts events of the same moment"),
        ("count(*) OVER (PARTITION BY card ORDER BY paid_at ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS n",
         "has a frame"),
        ("epoch(lag(paid_at) OVER (PARTITION BY card ORDER BY paid_at)) AS n", "column 'n' uses lag"),
        ("row_number() OVER (PARTITION BY card ORDER BY paid_at) AS n", "uses row_number OVER"),
        (f"median(amount) OVER ({DAY} TIES) AS n", "uses median OVER"),
        (f"upper(shop) AS n, count(*) OVER ({DAY} TIES) AS m", "column 'n' uses upper"),
        (f"count(*) OVER ({DAY[18:]} TIES) AS n", "window over everything"),
        (f"count(*) OVER ({DAY.replace('paid_at', 'paid_at DESC')} TIES) AS n", "not ordered by one time"),
        ("count(*) OVER (PARTITION BY card ORDER BY paid_at RANGE BETWEEN INTERVAL 1 MONTH PRECEDING AND CURRENT ROW "
         "EXCLUDE TIES) AS n", "has the length"),
        (f"sum(DISTINCT amount) OVER ({DAY} TIES) AS n", "sum(DISTINCT"),
        (f"count(*) FILTER (WHERE amount > 3) OVER ({DAY} TIES) AS n", "is no column of the source"),
        (f"count(*) OVER (PARTITION BY upper(card) {DAY[17:]} TIES) AS n", "is no column of the source"),
        ("amount", "has no window"),
        (f"count(*) OVER ({DAY} TIES) AS n FROM payments WHERE amount > 3", "without WHERE"),
        (f"count(*) OVER ({DAY} TIES) AS n FROM (SELECT * FROM payments)", "reads one source"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_by_name(payments, columns, says):
    with pytest.raises(Refused) as caught:
        prepared(payments, columns)
    assert caught.value.code == "window_not_online"
    assert says in caught.value.message
    assert caught.value.hint


def test_events_have_a_moment(payments):
    with pytest.raises(InvalidInput, match="is date"):
        prepared(payments, f"count(*) OVER ({DAY.replace('paid_at', 'day')} TIES) AS n")


def test_a_table_is_online_or_has_times(payments):
    with pytest.raises(ValueError, match="one row per entity"):
        prepared(payments, "amount", event_time="paid_at")
