"""One digest for the same rows, however they are cut; another for other rows."""

from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ingest.rows_digest import RowsDigest

cells = st.none() | st.text(max_size=3)
tables = st.lists(st.fixed_dictionaries({"a": cells, "b": cells}), max_size=12)


def table(rows):
    return pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in ("a", "b")})


def digest(*parts):
    found = RowsDigest()
    for part in parts:
        found.add(part)
    return found.hexdigest()


@given(tables, st.lists(st.integers(0, 12), max_size=3))
def test_it_does_not_matter_where_tables_end(rows, cuts):
    whole, places = table(rows), sorted({0, len(rows), *(cut for cut in cuts if cut <= len(rows))})
    parts = [whole.slice(start, end - start) for start, end in pairwise(places)]
    asked_between = RowsDigest()
    for part in parts:
        asked_between.add(part)
        asked_between.hexdigest()
    assert digest(whole) == digest(*parts) == asked_between.hexdigest() == digest(whole.combine_chunks())


@given(tables, tables)
def test_other_rows_have_another_digest(one, other):
    assert (digest(table(one)) == digest(table(other))) == (one == other)


def test_a_column_that_is_not_there_is_one_of_missing_values():
    late = pa.table({"a": ["2"], "b": ["x"]})
    assert digest(pa.table({"a": ["1"]}), late) == digest(table([{"a": "1", "b": None}]), late)
    assert digest(late, pa.table({"a": ["3"]})) == digest(late, table([{"a": "3", "b": None}]))
    assert digest(pa.table({"b": ["1"]})) != digest(pa.table({"a": ["1"]}))
