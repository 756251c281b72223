"""The digest of rows is of their content, and content that is there is not written again."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from drivetrain.core.digest import FileDigest
from drivetrain.core.refs import Kind, Ref
from drivetrain.prepare.writing import digest_rows, keep
from drivetrain.store.tables import Table

ROWS = pa.table(
    {
        "id": ["a", "bé", "c"],
        "n": pa.array([1, None, 3]),
        "x": pa.array([0.5, None, -0.0]),
        "b": pa.array([True, None, False]),
        "t": pa.array(["", None, "long"]),
        "d": pa.array([date(2024, 1, 1), None, date(1960, 1, 1)]),
        "at": pa.array([datetime(2024, 1, 1, tzinfo=UTC), None, None], pa.timestamp("us", tz="UTC")),
    }
)
SQL = (FileDigest("a.sql", "f" * 64, 3),)
PARENT = Ref(Kind.DATASET, "loans", "0")


def test_the_digest_is_of_values_not_of_buffers():
    chunked = pa.concat_tables([ROWS.slice(0, 1), ROWS.slice(1, 2)])
    longer = pa.concat_tables([ROWS, ROWS]).slice(3)
    again = pa.Table.from_pylist(ROWS.to_pylist(), ROWS.schema)
    assert {digest_rows(rows) for rows in (ROWS, chunked, longer, again)} == {digest_rows(ROWS)}


def other(name, values, kind=None):
    position = ROWS.column_names.index(name)
    return ROWS.set_column(position, name, pa.array(values, kind or ROWS.schema.field(name).type))


@pytest.mark.parametrize(
    "rows",
    [
        other("id", ["ab", "é", "c"]),
        other("n", [1, 0, 3]),
        other("n", [1, None, 3], pa.int32()),
        other("x", [0.5, 0.0, -0.0]),
        other("b", [True, False, False]),
        other("t", [None, "", "long"]),
        other("t", ["", "long", None]),
        other("d", [None, date(2024, 1, 1), date(1960, 1, 1)]),
        other("at", [None, datetime(2024, 1, 1, tzinfo=UTC), None]),
        ROWS.slice(0, 2),
        ROWS.take([0, 2, 1]),
        ROWS.select(ROWS.column_names[::-1]),
        ROWS.rename_columns(["key", *ROWS.column_names[1:]]),
    ],
)
def test_any_other_content_has_another_digest(rows):
    assert digest_rows(rows) != digest_rows(ROWS)


def test_a_version_is_new_only_when_content_or_origin_is(tmp_path):
    table = Table(tmp_path / "features")
    first = keep(table, ROWS, SQL, (PARENT,))
    assert (first.version, first.new) == (0, True)
    assert keep(table, ROWS, SQL, (PARENT,)) == type(first)(0, first.digest, new=False)
    newer_data = keep(table, ROWS, SQL, (Ref(Kind.DATASET, "loans", "1"),))
    assert newer_data == type(first)(1, first.digest, new=True)
    commented = keep(table, ROWS, (FileDigest("a.sql", "e" * 64, 9),), (PARENT,))
    assert commented == type(first)(2, first.digest, new=True)
    changed = keep(table, ROWS.slice(0, 2), SQL, (PARENT,))
    assert changed.version == 3
    assert changed.digest != first.digest
    assert table.read(0).num_rows == 3
