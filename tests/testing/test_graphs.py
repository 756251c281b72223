from __future__ import annotations

import msgspec
import numpy as np
import pytest

from drivetrain.ops.rows import RowPacker, row_type
from drivetrain.store.models import Scorer, model_from
from drivetrain.testing.graphs import (
    INCOME,
    SIGNATURE,
    TYPICAL,
    again,
    as_json,
    constant_graph,
    draw,
    expected_score,
    flipped,
    logistic_model,
    slow,
    without_scores,
)

ROWS = draw(200, seed=3)


def test_the_good_model_answers_in_closed_form():
    scores = Scorer(logistic_model().graph).score(ROWS)
    assert scores == pytest.approx([expected_score(row) for row in ROWS], abs=1e-12)
    assert 0.2 < (scores >= 0.5).mean() < 0.8, "both decisions occur"


def test_a_flipped_model_decides_the_other_way():
    good, bad = (Scorer(content.graph).score(ROWS) for content in (logistic_model(), flipped()))
    assert bad == pytest.approx(1 - good, abs=1e-12)


def test_scores_are_missing_from_a_limit_on():
    scores = Scorer(without_scores(5000.0).graph).score(ROWS)
    rich = ROWS[:, INCOME] >= 5000.0
    assert rich.any()
    assert (np.isnan(scores) == rich).all()
    edge = np.array([TYPICAL, TYPICAL])
    edge[:, INCOME] = 5000.0, 4999.99
    assert np.isnan(Scorer(without_scores(5000.0).graph).score(edge)).tolist() == [True, False]


def test_a_slow_model_answers_the_same_and_ends_where_nobody_is_that_rich():
    good = Scorer(logistic_model().graph).score(ROWS)
    assert (Scorer(slow(1000).graph).score(ROWS) == good).all()
    assert (Scorer(slow(2**62, above=1e6).graph).score(ROWS) == good).all(), "this would never end"


def test_a_constant_answers_rows_of_any_kind():
    assert (Scorer(constant_graph(0.25, len(TYPICAL))).score(ROWS) == 0.25).all()


def test_rows_as_json_are_read_as_they_were_packed():
    decoder = msgspec.json.Decoder(list[row_type(SIGNATURE)])
    packer = RowPacker(SIGNATURE)
    read = [packer.pack(msgspec.structs.astuple(row)) for row in decoder.decode(msgspec.json.encode(as_json(ROWS)))]
    np.testing.assert_array_equal(np.frombuffer(b"".join(read)).reshape(ROWS.shape), ROWS)


def test_a_model_made_again_has_the_same_graph_and_another_folder():
    good, other = logistic_model(), again(logistic_model())
    assert good.graph == other.graph
    assert good.files() != other.files()
    assert model_from(good.files(), "here").signature == SIGNATURE
