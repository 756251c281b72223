from __future__ import annotations

import numpy as np
import pytest

from drivetrain.core.arrays import to_npy
from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.store.golden import Golden, golden_from, golden_of

ROWS = np.arange(12.0).reshape(4, 3)
SCORES = np.array([0.1, 0.2, 0.3, np.nan])


def test_a_batch_comes_back_from_its_files():
    found = golden_from(Golden(ROWS, SCORES).files() | {"report.json": b"{}"}, "here")
    np.testing.assert_array_equal(found.rows, ROWS)
    np.testing.assert_array_equal(found.scores, SCORES)


def test_the_last_digits_that_machines_differ_in_make_no_other_files():
    one, other = (golden_of(ROWS, lambda rows, by=by: rows.sum(axis=1) / 7 + by) for by in (0.0, 1e-14))
    assert one.files() == other.files()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"golden-rows.npy": b""}, r"golden-scores\.npy is missing"),
        ({}, r"golden-rows\.npy is missing"),
        ({"golden-rows.npy": b"", "golden-scores.npy": b""}, "EOF"),
        ({"golden-rows.npy": to_npy(ROWS), "golden-scores.npy": to_npy(SCORES[:3])}, "do not go with"),
        ({"golden-rows.npy": to_npy(SCORES), "golden-scores.npy": to_npy(SCORES)}, "do not go with"),
        ({"golden-rows.npy": to_npy(ROWS[:0]), "golden-scores.npy": to_npy(SCORES[:0])}, "do not go with"),
    ],
)
def test_a_batch_that_is_missing_or_damaged_is_named(files: dict[str, bytes], said: str):
    with pytest.raises(InvalidInput, match=said) as error:
        golden_from(files, "release/loans@ab")
    assert (error.value.code, error.value.where) == ("golden_batch_unusable", "release/loans@ab")


def test_who_answers_as_before_passes():
    golden = Golden(ROWS, SCORES)
    golden.check(lambda rows: SCORES.copy(), "here")
    golden.check(lambda rows: SCORES + 9e-7, "here")
    infinite = np.array([np.inf, -np.inf, 0.5, np.nan])
    Golden(ROWS, infinite).check(lambda rows: infinite.copy(), "here")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (SCORES + np.array([0, 2e-6, 0, 0]), "1 of 4 golden rows .* the worst by 2e-06"),
        (1 - SCORES, "3 of 4 golden rows .* the worst by 0.8"),
        (np.array([0.1, 0.2, 0.3, 0.4]), "1 of 4 .* the worst by inf"),
        (np.array([np.nan, 0.2, 0.3, np.nan]), "1 of 4 .* the worst by inf"),
        (np.array([np.inf, 0.2, 0.3, np.nan]), "1 of 4 .* the worst by inf"),
        (SCORES[:3], r"got scores \(3,\) for golden rows that had \(4,\)"),
        (SCORES.reshape(-1, 1), r"got scores \(4, 1\) for golden rows that had \(4,\)"),
    ],
)
def test_who_answers_otherwise_is_refused(answers: np.ndarray, said: str):
    with pytest.raises(Refused, match=said) as error:
        Golden(ROWS, SCORES).check(lambda rows: answers, "release/loans@ab")
    assert (error.value.code, error.value.where) == ("golden_batch_differs", "release/loans@ab")


def test_a_batch_of_classes_has_a_row_of_scores_each_and_its_worst_class_decides():
    shares = np.array([[0.2, 0.8], [0.5, 0.5], [1.0, 0.0], [0.1, 0.9]])
    golden = golden_from(Golden(ROWS, shares).files(), "here")
    golden.check(lambda rows: shares + 1e-9, "here")
    with pytest.raises(Refused, match=r"1 of 4 golden rows .* the worst by 0\.3"):
        golden.check(lambda rows: shares + np.array([[0, 0.3], [0, 0], [0, 0], [0, 0]]), "here")
    with pytest.raises(Refused, match="golden rows that had"):
        golden.check(lambda rows: shares[:, 0], "here")


def test_large_numbers_are_compared_and_kept_by_their_size():
    numbers = np.array([1e6, -2e9, 0.5, 7.0])
    golden = golden_of(ROWS, lambda rows: numbers * (1 + 1e-13))
    np.testing.assert_allclose(golden.scores, numbers, rtol=1e-9)
    assert golden.files() == golden_of(ROWS, lambda rows: numbers * (1 - 1e-13)).files()
    golden.check(lambda rows: numbers * (1 + 5e-7), "here")
    with pytest.raises(Refused, match="1 of 4 golden rows"):
        golden.check(lambda rows: numbers + np.array([10.0, 0, 0, 0]), "here")


def test_the_tolerance_is_a_choice():
    with pytest.raises(Refused):
        Golden(ROWS, SCORES).check(lambda rows: SCORES + 1e-9, "here", tolerance=0.0)
    Golden(ROWS, SCORES).check(lambda rows: SCORES + 0.05, "here", tolerance=0.1)
