"""What is kept of the values of a column: enough to tell a change, little however many rows there are."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ingest.sketch import FEW, Sketching, keep_sketch, merged, read_sketch

texts = st.lists(st.none() | st.sampled_from([f"t{number}" for number in range(FEW + 20)]), max_size=120)


def seen(*batches):
    sketching = Sketching()
    for batch in batches:
        sketching.see(batch)
    return sketching.measured()


@given(st.lists(texts, min_size=1, max_size=5))
def test_texts_are_counted_exactly_while_they_are_few(batches):
    found = seen(*(pa.table({"text": pa.array(batch, pa.string())}) for batch in batches))["text"]
    values = [text for batch in batches for text in batch if text is not None]
    assert found.values == len(values)
    if len(set(values)) <= FEW:
        assert found.texts == {text: values.count(text) for text in set(values)}
    else:
        assert found.texts is None


def test_the_level_of_a_million_rows_in_any_order_is_near_that_of_all_of_them():
    values = np.random.default_rng(0).lognormal(8, 1, 1_000_000)
    found = seen(*(pa.table({"pay": values[at : at + 9973]}) for at in range(0, len(values), 9973)))["pay"]
    assert np.allclose(found.level, np.quantile(values, (0.1, 0.25, 0.5, 0.75, 0.9)), rtol=0.06)
    assert not found.grows
    sketching = Sketching()
    for _ in range(200):
        sketching.see(pa.table({"pay": values[:9973]}))
        assert sum(map(len, sketching._seen["pay"].sample)) <= 2 * 8192


def test_what_grows_and_what_has_no_level():
    found = seen(pa.table({"id": range(500), "flag": [True, False] * 250, "same": [1] * 500, "gone": pa.nulls(500)}))
    assert (found["id"].grows, found["flag"].grows, found["same"].grows) == (True, False, False)
    assert found["flag"].level is None
    assert (found["gone"].values, found["gone"].level) == (0, None)
    assert seen(pa.table({"id": [1, 2]}))["id"].examples == ("1", "2")


def test_loads_are_added_up_and_a_column_of_another_type_begins_anew():
    one = merged({}, seen(pa.table({"text": ["a", "b"], "pay": [1.0, 2.0]})))
    two = merged(one, seen(pa.table({"text": ["c"], "pay": [1]})))
    assert (two["text"].texts, two["text"].values) == (("a", "b", "c"), 3)
    assert (two["pay"].type, two["pay"].values) == ("int64", 1)
    level = merged({}, seen(pa.table({"pay": np.arange(1.0, 201.0)})))
    for _ in range(9):
        level = merged(level, seen(pa.table({"pay": np.arange(1.0, 201.0)})))
    assert len(level["pay"].levels) == 4


def test_two_files_are_kept_at_most_and_one_that_is_gone_is_nothing(tmp_path):
    first = keep_sketch(tmp_path, merged({}, seen(pa.table({"text": ["a"]}))), "")
    second = keep_sketch(tmp_path, merged({}, seen(pa.table({"text": ["b"]}))), first)
    assert {file.stem for file in tmp_path.iterdir()} == {first, second}
    assert read_sketch(tmp_path, first)["text"].texts == ("a",)
    third = keep_sketch(tmp_path, {}, second)
    assert {file.stem for file in tmp_path.iterdir()} == {second, third}
    assert read_sketch(tmp_path, first) == {}
