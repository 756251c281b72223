"""The gate of parity replays the events of the source, and finds a window that the server would compute otherwise."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.artifacts import Dataset
from drivetrain.core.errors import InvalidInput
from drivetrain.core.project import FeaturesSpec, GatesSpec, ModelSpec
from drivetrain.prepare.prepare import prepare
from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Commit, Table, schema_of
from drivetrain.train.train import train
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.parity import parity

SQL = {
    "spine": "SELECT payment AS id, paid_at, fraud FROM payments",
    "shop": "SELECT payment AS id, shop, opened FROM payments",
    "velocity": """
        SELECT payment AS id, amount, online, count(*) OVER day AS n, avg(amount) OVER day AS mean,
            amount / sum(amount) OVER day AS share, epoch(paid_at) - epoch(max(paid_at) OVER before) AS since
        FROM payments WINDOW
            day AS (PARTITION BY card ORDER BY paid_at RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW
                EXCLUDE TIES),
            before AS (PARTITION BY card ORDER BY paid_at RANGE BETWEEN INTERVAL 2 DAYS PRECEDING AND CURRENT ROW
                EXCLUDE GROUP)
    """,
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """1,200 payments in thirty days: features, a small model, and the evidence about it."""
    home = tmp_path_factory.mktemp("payments")
    for name, text in SQL.items():
        (home / f"{name}.sql").write_text(text)
    random = np.random.default_rng(5)
    size = 1200
    start = datetime(2026, 3, 1, tzinfo=UTC)
    rows = pa.table(
        {
            "payment": random.permutation(size) * 2 + 5,
            "card": [f"c{card}" for card in random.integers(0, 30, size)],
            "paid_at": [start + timedelta(minutes=int(at)) for at in np.sort(random.integers(0, 30 * 1440, size))],
            "amount": random.lognormal(3, 1, size).round(2),
            "online": random.random(size) < 0.5,
            "shop": random.choice(["north", "south"], size),
            "opened": [start.date()] * size,
            "fraud": random.random(size) < 0.3,
        }
    )
    with Catalog(home) as catalog:
        version = Table(catalog.table_path("datasets", "payments")).append(rows, Commit("{}", "x", size))
        dataset = Dataset("payments", version, "d", size, 0, schema_of(rows.schema))
        tables = {"shop": {"sql": "shop.sql"}, "velocity": {"sql": "velocity.sql", "online": True}}
        said = {"spine": "spine.sql", "entity": "id", "label": "fraud", "time": "paid_at", "tables": tables}
        spec = FeaturesSpec.model_validate(said | {"split": {"by": "time", "test": 0.3}})
        features = prepare(spec, "cards", {"payments": dataset}, catalog)
        plain = {"candidates": [{"learner": "logistic"}], "budget": {"trials": 1}, "tracking": "off"}
        model = train(ModelSpec.model_validate(plain), "cards", features, catalog)
        evidence = Evidence(GatesSpec(), model, features, None, catalog)
        yield evidence
        evidence.close()


def spoiled(judged, **changed):
    """The same evidence of a model whose plan says something else than the SQL."""
    made = replace(judged)
    signature = judged.content.signature
    made.__dict__["content"] = replace(
        judged.content, signature=replace(signature, windows=replace(signature.windows, **changed))
    )
    return made


def test_every_window_of_every_test_row_is_what_the_sql_says(judged):
    (result,) = parity(judged).results
    assert result.verdict == "pass"
    assert result.measured.value < 1e-9
    assert result.measured.rows == len(judged.test) == 360
    assert "every window, event by event, is what the SQL says" in result.detail


def test_a_window_that_is_computed_otherwise_is_named(judged):
    plan = judged.content.signature.windows
    short = tuple(replace(window, micros=window.micros // 2) for window in plan.windows)
    (result,) = parity(spoiled(judged, windows=short)).results
    assert result.verdict == "fail"
    assert "'n' is computed online as" in result.detail


def test_test_rows_that_are_no_events_are_named(judged):
    with pytest.raises(InvalidInput, match="360 test rows are no events of 'payments'"):
        parity(spoiled(judged, entity="amount"))
