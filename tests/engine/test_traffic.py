"""Held-back rows as traffic, and its drift."""

import pyarrow as pa
import pytest

from drivetrain.core.errors import Transient
from drivetrain.engine.traffic import Caller, drifted

ROWS = pa.table({"age": pa.array([30, 40], pa.int64()), "income": pa.array([12000.0, None])})


def test_drift_is_what_its_sql_says(tmp_path):
    sql = tmp_path / "drift.sql"
    sql.write_text("SELECT * REPLACE (income / 12 AS income, age + 1 AS age) FROM traffic")
    changed = drifted(ROWS, sql)
    assert changed.schema == ROWS.schema
    assert changed.to_pylist() == [{"age": 31, "income": 1000.0}, {"age": 41, "income": None}]


def test_service_that_is_not_there_is_transient():
    caller = Caller("http://127.0.0.1:9", "key")
    with pytest.raises(Transient, match="did not answer"):
        caller.predict(ROWS)
    caller.close()
