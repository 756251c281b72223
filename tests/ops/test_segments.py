"""Every row lies in one segment of each input, whatever its values, and the names say which."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.model import UNKNOWN, Distribution, InputField, Reference, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.ops.drift import code_cuts, cut_points, distribution
from drivetrain.ops.segments import MOST_TEXTS, Segmenter

LABELS = Distribution("label", (0.5,), (1, 1), 0)

LETTERS = tuple(chr(ord("a") + at) for at in range(26))
FIELDS = {
    "amount": InputField("amount", ColumnType.NUMBER, nullable=True),
    "age": InputField("age", ColumnType.INTEGER, nullable=True),
    "owner": InputField("owner", ColumnType.BOOLEAN, nullable=True),
    "city": InputField("city", ColumnType.TEXT, nullable=True, categories=("Bern", "Basel")),
    "letter": InputField("letter", ColumnType.TEXT, nullable=True, categories=LETTERS),
    "since": InputField("since", ColumnType.DATE, nullable=True),
}
DAY = 86400.0


def _sample(count):
    generator = np.random.default_rng(1)
    return {
        "amount": generator.exponential(2000, count),
        "age": generator.integers(18, 90, count).astype(float),
        "owner": (generator.random(count) < 0.4).astype(float),
        "city": (generator.random(count) < 0.3).astype(float),
        # the last letters are the commonest: the order of the categories is not the order of the counts
        "letter": np.minimum(25 - generator.geometric(0.1, count), 25).clip(-1),
        "since": generator.integers(10_000, 20_000, count) * DAY,
    }


SAMPLE = _sample(8000)


def _segmenter(*names, sample=None):
    sample = sample or SAMPLE
    fields = tuple(FIELDS[name] for name in names)
    spreads = []
    for field in fields:
        text = field.type is ColumnType.TEXT
        cuts = code_cuts(len(field.categories)) if text else cut_points(sample[field.name])
        spreads.append(distribution(field.name, sample[field.name], cuts))
    score = distribution("score", np.array([0.1, 0.9]), (0.5,))
    return Segmenter(Signature(fields, "id", "label"), Reference(8000, tuple(spreads), score, LABELS, 0.5))


def _segments(segmenter, *rows):
    codes = segmenter.codes(np.array(rows, dtype=np.float64))
    return [tuple(segmenter.names[code] for code in row) for row in codes]


def test_texts_have_a_segment_each_and_so_have_unknown_and_missing():
    city = _segmenter("city")
    assert city.names == ("city = Bern", "city = Basel", "city not seen in training", "city missing")
    rows = [[0.0], [1.0], [UNKNOWN], [np.nan]]
    assert [name for (name,) in _segments(city, *rows)] == list(city.names)


def test_only_the_commonest_texts_have_a_segment_of_their_own():
    letter = _segmenter("letter")
    assert len([name for name in letter.names if " = " in name]) == MOST_TEXTS
    assert _segments(letter, [24.0], [0.0]) == [("letter = y",), ("letter other",)]


def test_whole_numbers_are_parted_at_the_quartiles_and_named_by_what_they_hold():
    age = _segmenter("age", sample={"age": np.arange(20.0, 60.0)})
    assert age.names == ("age up to 29", "age 30 to 39", "age 40 to 49", "age 50 and more", "age missing")
    assert _segments(age, [29.0], [30.0], [39.0], [50.0], [np.nan]) == [(age.names[at],) for at in (0, 1, 1, 3, 4)]


def test_dates_are_named_by_the_day():
    since = _segmenter("since", sample={"since": np.array([0.0, 365.0, 730.0, 1095.0]) * DAY})
    assert since.names[0] == "since below 1970-07-02"


def test_a_boolean_is_true_or_false():
    assert _segmenter("owner").names == ("owner = false", "owner = true", "owner missing")
    assert _segments(_segmenter("owner"), [1.0]) == [("owner = true",)]


def test_a_constant_is_given_or_missing():
    amount = _segmenter("amount", sample={"amount": np.full(9, 5.0)})
    assert amount.names == ("amount given", "amount missing")
    assert _segments(amount, [7.0], [np.nan]) == [("amount given",), ("amount missing",)]


@pytest.mark.parametrize("name", ["amount", "age", "since"])
def test_the_ranges_hold_about_a_quarter_each(name):
    segmenter = _segmenter(name)
    shares = np.bincount(segmenter.codes(SAMPLE[name][:, None])[:, 0]) / 8000
    assert shares == pytest.approx([0.25] * 4, abs=0.03)


values = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.integers(-10, 100).map(float))
rows_of_all = st.lists(
    st.tuples(
        values,
        values,
        st.sampled_from([0.0, 1.0, np.nan]),
        st.sampled_from([UNKNOWN, 0.0, 1.0, np.nan]),
        st.integers(-1, 25).map(float),
        values,
    ),
    max_size=40,
)


@given(rows_of_all)
def test_every_row_has_one_segment_of_each_input_alone_and_in_a_block(rows):
    segmenter = _segmenter(*FIELDS)
    block = np.array(rows, dtype=np.float64).reshape(-1, len(FIELDS))
    codes = segmenter.codes(block)
    assert codes.dtype == np.int32
    assert codes.shape == block.shape
    for row, places in zip(block, codes, strict=True):
        assert (segmenter.codes(row[None])[0] == places).all()
        for value, place, name in zip(row, places, FIELDS, strict=True):
            segment = segmenter.names[place]
            assert segment.startswith(f"{name} ")
            assert segment.endswith("missing") == np.isnan(value)


def test_a_model_without_inputs_has_no_segments():
    none = Segmenter(
        Signature((), "id", "label"), Reference(1, (), distribution("score", np.array([0.5]), ()), LABELS, 0.5)
    )
    assert none.names == ()
    assert none.codes(np.empty((3, 0))).shape == (3, 0)
