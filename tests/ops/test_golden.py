from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.digest import digest_bytes
from drivetrain.core.model import Distribution, InputField, Reference, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.ops.drift import code_cuts, cut_points, distribution
from drivetrain.ops.golden import golden_rows
from drivetrain.testing.graphs import SIGNATURE, TYPICAL, draw, logistic_model

LABELS = Distribution("label", (0.5,), (1, 1), 0)

DAY = 86400.0
REFERENCE = logistic_model().reference
SCORE = Distribution("score", (0.5,), (1, 1), 0)
DECIMALS = st.floats(-1e6, 1e6, allow_subnormal=False)


def _learned(kind: ColumnType, values: np.ndarray) -> dict[str, float]:
    """What training says of the values."""
    ends = {"low": values.min(), "high": values.max()} if kind in NUMERIC else {}
    return {**ends, "typical": values[0]}


NUMERIC = (ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.DATE, ColumnType.TIMESTAMP)
STEPS = {ColumnType.INTEGER: 1.0, ColumnType.DATE: DAY, ColumnType.TIMESTAMP: 1.0}


@st.composite
def inputs(draw: st.DrawFn) -> tuple[InputField, Distribution]:
    """An input, and its reference as training makes it."""
    kind = draw(st.sampled_from(list(ColumnType)))
    categories = tuple(f"t{number}" for number in range(draw(st.integers(0, 4)))) if kind is ColumnType.TEXT else ()
    element = {
        ColumnType.TEXT: st.integers(-1, len(categories) - 1).map(float),
        ColumnType.BOOLEAN: st.sampled_from([0.0, 1.0]),
        ColumnType.NUMBER: DECIMALS,
    }.get(kind, st.integers(-(10**5), 10**5).map(lambda number: number * STEPS.get(kind, 1.0)))
    values = np.array(draw(st.lists(element, min_size=1, max_size=30)))
    missing = draw(st.integers(0, 10))
    cuts = code_cuts(len(categories)) if kind is ColumnType.TEXT else cut_points(values)
    field = InputField("x", kind, missing > 0, categories, **_learned(kind, values))
    return field, distribution("x", np.append(values, [np.nan] * missing), cuts)


@given(inputs(), st.integers(0, 80), st.integers(0, 3))
def test_every_value_is_one_that_the_type_and_the_range_allow(
    made: tuple[InputField, Distribution], count: int, seed: int
):
    field, spread = made
    rows = golden_rows(Signature((field,), "id", "y"), Reference(1, (spread,), SCORE, LABELS, 0.5), count, seed)
    assert rows.shape == (count, 1)
    values = rows[~np.isnan(rows)]
    assert field.nullable or len(values) == count
    assert np.isfinite(values).all()
    assert not (np.signbit(values) & (values == 0)).any(), "there is no minus zero"
    if field.type in NUMERIC:
        assert ((field.low <= values) & (values <= field.high)).all()
    elif field.type is ColumnType.TEXT:
        assert set(values) <= set(range(-1, len(field.categories)))
    else:
        assert set(values) <= {0.0, 1.0}
    if field.type in STEPS:
        assert (values % STEPS[field.type] == 0).all()


def test_the_batch_holds_the_typical_row_the_ends_the_missing_and_the_unknown():
    rows = golden_rows(SIGNATURE, REFERENCE)
    assert rows.shape == (64, 6)
    assert rows[0].tolist() == list(TYPICAL)
    assert rows[1, :2].tolist() == [18, 0]
    assert rows[2, :2].tolist() == [99, 1e5]
    assert rows[2, 3] == 2, "the last city"
    assert np.isnan(rows[3]).tolist() == [False, True, True, True, True, True]
    assert rows[4].tolist() == [*TYPICAL[:3], -1.0, *TYPICAL[4:]]
    drawn = rows[5:]
    assert np.isnan(drawn[:, 1:]).any(axis=0).all()
    assert not np.isnan(drawn).all(axis=0).any()


def test_the_rows_are_spread_as_the_reference_is():
    learned = draw(2000)
    ends = zip(SIGNATURE.inputs, np.nanmin(learned, axis=0), np.nanmax(learned, axis=0), strict=True)
    fields = tuple(replace(field, low=low, high=high) for field, low, high in ends)
    rows = golden_rows(Signature(fields, "id", "y"), REFERENCE, count=20_000)[5:]
    for column, spread in zip(rows.T, REFERENCE.inputs, strict=True):
        now = distribution(spread.name, column, spread.cuts)
        apart = np.abs(np.array(now.counts) / sum(now.counts) - np.array(spread.counts) / sum(spread.counts))
        assert apart.max() < 0.02, spread.name


def test_the_rows_are_the_same_everywhere():
    """Held against what was computed when this was written: another machine or NumPy must give the same bytes."""
    field = InputField("n", ColumnType.NUMBER, True, low=-3.0, high=7.5, typical=1.25)
    spread = Distribution("n", (0.1, 2.0, 4.0), (5, 10, 20, 5), 4)
    rows = golden_rows(Signature((field, field), "id", "y"), Reference(44, (spread, spread), SCORE, LABELS, 0.5))
    assert digest_bytes(rows.tobytes())[:16] == "13193ba2142829c4"
    assert (rows[5:, 0] != rows[5:, 1]).any(), "columns are drawn by themselves"
    other = golden_rows(
        Signature((field, field), "id", "y"), Reference(44, (spread, spread), SCORE, LABELS, 0.5), seed=1
    )
    assert other.tobytes() != rows.tobytes()


def test_a_column_that_training_never_saw_filled_is_typical_or_missing():
    field = InputField("n", ColumnType.NUMBER, True)
    rows = golden_rows(
        Signature((field,), "id", "y"), Reference(9, (Distribution("n", (), (0,), 9),), SCORE, LABELS, 0.5)
    )
    assert np.isnan(rows[5:]).all()
    assert rows[:3].tolist() == [[0.0], [0.0], [0.0]]


def test_the_widest_range_does_not_overflow():
    field = InputField("n", ColumnType.NUMBER, False, low=-1.7e308, high=1.7e308)
    rows = golden_rows(
        Signature((field,), "id", "y"), Reference(9, (Distribution("n", (0.0,), (4, 5), 0),), SCORE, LABELS, 0.5)
    )
    assert np.isfinite(rows).all()


def test_a_reference_of_other_inputs_is_refused():
    with pytest.raises(ValueError, match="zip"):
        golden_rows(Signature(SIGNATURE.inputs[:2], "id", "y"), REFERENCE)
