"""Events of a source in the lake, as windows take them."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from drivetrain.core.artifacts import Dataset
from drivetrain.core.schema import Column, ColumnType
from drivetrain.core.windows import Event, OnlineFeature, Step, Window, WindowPlan
from drivetrain.store.catalog import Catalog
from drivetrain.store.history import events, newest_events
from drivetrain.store.tables import Commit, Table, schema_of

HOUR = 3_600_000_000
START = datetime(2026, 3, 1, tzinfo=UTC)
PLAN = WindowPlan(
    "payments", "id", "paid_at", (Column("card", ColumnType.TEXT), Column("declined", ColumnType.BOOLEAN)),
    (Window("count", ("card",), "", "", 2 * HOUR, True),), (OnlineFeature("n", (Step("window"),), False),), HOUR,
)  # fmt: skip


@pytest.fixture
def catalog(tmp_path):
    with Catalog(tmp_path) as made:
        yield made


def enter(catalog, hours, **columns):
    moments = [START + timedelta(hours=hour) for hour in hours]
    rows = pa.table({"id": list(range(len(moments))), "paid_at": moments, **columns})
    version = Table(catalog.table_path("datasets", "payments")).append(rows, Commit("{}", "x", rows.num_rows))
    catalog.put(Dataset("payments", version, "d", rows.num_rows, 0, schema_of(rows.schema)))
    return version


def test_the_newest_events_in_their_order(catalog):
    assert list(newest_events(catalog, PLAN)) == []
    version = enter(
        catalog, [9, 1, 8, 6, 5], card=["a", "b", None, "a", "c"], declined=[True, None, False, True, False]
    )
    start = round(START.timestamp() * 1e6)
    assert list(newest_events(catalog, PLAN)) == [
        Event("3", start + 6 * HOUR, ("a", 1.0)),
        Event("2", start + 8 * HOUR, (None, 0.0)),
        Event("0", start + 9 * HOUR, ("a", 1.0)),
    ]
    everything = list(events(Table(catalog.table_path("datasets", "payments")).dataset(version), PLAN))
    assert [event.name for event in everything] == ["1", "4", "3", "2", "0"]


def test_a_column_that_the_source_does_not_have_is_unknown(catalog):
    enter(catalog, [1], card=["a"])
    assert [event.values for event in newest_events(catalog, PLAN)] == [("a", None)]
