"""Counting by the block is the distribution of all rows at once, whatever the blocks and whoever counted them."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import Distribution, Reference
from drivetrain.ops import drift
from drivetrain.ops.live import LiveCounts

LABELS = Distribution("label", (0.5,), (1, 1), 0)

VALUES = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 0.5, 1.0, -1.0, float("nan")]))
BLOCKS = st.lists(
    st.integers(0, 12).flatmap(lambda n: arrays.arrays(float, (n, 4), elements=VALUES)), min_size=1, max_size=5
)


def _reference(columns=3, rows=5000):
    generator = np.random.default_rng(1)
    values = [generator.normal(size=rows) for _ in range(columns - 2)]
    values += [generator.integers(0, 4, rows).astype(float), np.full(rows, 5.0)]
    cuts = [drift.cut_points(column) for column in values[:-2]] + [drift.code_cuts(4), ()]
    inputs = tuple(
        drift.distribution(f"x{at}", column, cut) for at, (column, cut) in enumerate(zip(values, cuts, strict=True))
    )
    score = generator.beta(1, 5, rows)
    return Reference(rows, inputs, drift.distribution("out of fold", score, drift.cut_points(score)), LABELS, 0.2)


REFERENCE = _reference()


def _spread(counts):
    return [(tuple(column[:-1].tolist()), int(column[-1])) for column in counts.state()]


@given(BLOCKS)
def test_it_counts_as_a_distribution_of_all_rows_counts(blocks):
    live = LiveCounts(REFERENCE)
    for block in blocks:
        live.add(block[:, :3], block[:, 3])
    whole = np.concatenate(blocks)
    references = (*REFERENCE.inputs, REFERENCE.score)
    expected = [drift.distribution("", column, of.cuts) for column, of in zip(whole.T, references, strict=True)]
    assert _spread(live) == [(one.counts, one.missing) for one in expected]


@given(BLOCKS)
def test_the_sum_of_many_workers_is_what_one_would_have_counted(blocks):
    alone, total = LiveCounts(REFERENCE), LiveCounts(REFERENCE)
    for block in blocks:
        worker = LiveCounts(REFERENCE)
        for counts in (alone, worker):
            counts.add(block[:, :3], block[:, 3])
        total.merge(worker.state())
    assert _spread(total) == _spread(alone)


def test_the_index_is_that_of_the_batch_monitor_and_the_score_is_last():
    generator = np.random.default_rng(2)
    rows = np.column_stack([generator.normal(1, 1, 800), np.full(800, -1.0), np.full(800, np.nan)])
    live = LiveCounts(REFERENCE)
    live.add(rows, np.full(800, 0.5))
    found = live.psi()
    assert [one.name for one in found] == ["x0", "x1", "x2", "score"]
    assert [one.missing for one in found] == [0.0, 0.0, 1.0, 0.0]
    for one, before, column in zip(found, REFERENCE.inputs, rows.T, strict=False):
        assert one.psi == pytest.approx(drift.psi(before, drift.distribution("", column, before.cuts)))
        assert one.psi > 0.2


def test_the_same_traffic_has_not_moved():
    generator = np.random.default_rng(1)
    rows = [generator.normal(size=5000), generator.integers(0, 4, 5000).astype(float), np.full(5000, 5.0)]
    live = LiveCounts(REFERENCE)
    live.add(np.column_stack(rows), generator.beta(1, 5, 5000))
    assert [one.psi for one in live.psi()] == pytest.approx([0.0] * 4, abs=1e-3)


def test_nothing_has_moved_before_the_first_row():
    assert LiveCounts(REFERENCE).psi() == ()


def test_the_state_is_a_copy():
    live = LiveCounts(REFERENCE)
    live.state()[0][:] = 9
    assert not any(column.any() for column in live.state())


def test_counts_against_another_reference_are_not_added():
    with pytest.raises(InvalidInput, match="another reference"):
        LiveCounts(REFERENCE).merge(LiveCounts(_reference(columns=5)).state())


@pytest.mark.slow
def test_counting_a_block_costs_less_than_a_microsecond_a_row():
    live = LiveCounts(_reference(columns=24))
    generator = np.random.default_rng(3)
    rows, scores = generator.normal(size=(512, 24)), generator.random(512)
    costs = []
    for _ in range(300):
        began = time.process_time()
        live.add(rows, scores)
        costs.append((time.process_time() - began) / 512)
    assert min(costs) < 1e-6


def test_outputs_are_counted_behind_the_score():
    said = Distribution("class", drift.code_cuts(3), (0, 500, 300, 200), 0)
    low = drift.distribution("low", np.arange(100.0), drift.cut_points(np.arange(100.0)))
    live = LiveCounts(replace(REFERENCE, outputs=(said, low)))
    generator = np.random.default_rng(0)
    rows, score = generator.normal(size=(1000, 3)), generator.random(1000)
    codes = generator.choice(3, 1000, p=(0.5, 0.3, 0.2)).astype(float)
    live.add(rows, score, np.column_stack([codes, np.full(1000, 1e9)]))
    found = {one.name: one.psi for one in live.psi()}
    assert list(found)[-3:] == ["score", "class", "low"]
    assert found["class"] < 0.02
    assert found["low"] > 1.0
