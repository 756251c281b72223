"""The arithmetic of leaks: what is a leak is measured as one, and what is honest is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.ops import leaks

ROWS = 4000


@pytest.fixture
def random():
    return np.random.default_rng(7)


@pytest.fixture
def label(random):
    return random.random(ROWS) < 0.1


@pytest.fixture
def test(random):
    return random.random(ROWS) < 0.25


def level(values):
    return leaks.levels(np.asarray(values, dtype=np.float64))


def brute_auc(label, values):
    wins = [float(high > low) + 0.5 * (high == low) for high in values[label] for low in values[~label]]
    return float(np.mean(wins))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=4, max_size=40))
def test_single_auc_is_the_share_of_pairs_in_order_either_way(rows):
    label = np.array([row[0] for row in rows])
    values = np.array([row[1] for row in rows], dtype=np.float64)
    expected = 0.5 if label.all() or not label.any() else brute_auc(label, values)
    assert leaks.single_auc(label, level(values)) == pytest.approx(max(expected, 1 - expected))


@pytest.mark.parametrize(
    "copy", [lambda y: y, lambda y: ~y, lambda y: y * -40.0 + 7], ids=["same", "inverse", "scaled"]
)
def test_single_auc_of_a_copy_is_one(label, copy):
    assert leaks.single_auc(label, level(copy(label))) == 1.0


def test_single_auc_sees_a_copy_with_holes(label, random):
    holes = np.where(random.random(ROWS) < 0.6, np.nan, label.astype(float))
    assert leaks.single_auc(label, level(holes)) == 1.0


def test_single_auc_of_noise_is_near_a_half(label, random):
    assert leaks.single_auc(label, level(random.normal(size=ROWS))) < 0.56


def test_single_auc_does_not_judge_a_handful_of_present_rows(label):
    values = np.full(ROWS, np.nan)
    rows = [*np.flatnonzero(label)[:5], *np.flatnonzero(~label)[:5]]
    values[rows] = label[rows]
    assert leaks.single_auc(label, level(values)) < 0.6


def test_value_auc_sees_codes_that_no_order_shows(label, test, random):
    codes = np.where(label, random.choice([1, 4, 6], ROWS), random.choice([0, 2, 3, 5, 7], ROWS))
    assert leaks.single_auc(label, level(codes)) < 0.7
    assert leaks.value_auc(label, level(codes), test) == 1.0


def test_value_auc_sees_the_number_of_a_group_that_shares_its_label(random, test):
    groups = random.integers(0, 600, ROWS)
    label = (random.random(600) < 0.2)[groups]
    assert leaks.value_auc(label, level(random.permutation(600)[groups]), test) == 1.0


@pytest.mark.parametrize("kinds", [5, 300, 3900])
def test_value_auc_is_not_fooled_by_many_values(label, test, random, kinds):
    assert leaks.value_auc(label, level(random.integers(0, kinds, ROWS)), test) < 0.62


def test_value_auc_says_nothing_of_numbers_that_hardly_repeat(label, test, random):
    strong = (label * 3 + random.normal(size=ROWS)).round(4)
    assert leaks.value_auc(label, level(strong), test) == 0.5


def test_value_auc_is_a_half_without_training_rows(label):
    assert leaks.value_auc(label, level(label), np.ones(ROWS, dtype=bool)) == 0.5


def test_missing_auc(label, random):
    assert leaks.missing_auc(label, level(np.where(label, np.nan, 1.0))) == 1.0
    assert leaks.missing_auc(label, level(np.where(label, 1.0, np.nan))) == 1.0
    assert leaks.missing_auc(label, level(np.where(random.random(ROWS) < 0.3, np.nan, 1.0))) < 0.56
    assert leaks.missing_auc(label, level(random.normal(size=ROWS))) == 0.5


def test_one_class_rows_counts_only_the_rarer_class(label):
    some = np.cumsum(label) <= 50
    assert leaks.one_class_rows(label, label & some) == 50
    assert leaks.one_class_rows(label, ~label & some) == 0
    assert leaks.one_class_rows(label, np.zeros(ROWS, dtype=bool)) == 0


def encode(label, groups, prior=0.0):
    rows, positives = np.bincount(groups), np.bincount(groups, weights=label)
    return ((positives + prior * label.mean()) / (rows + prior))[groups]


@pytest.mark.parametrize("groups", [4, 40, 400])
@pytest.mark.parametrize("decimals", [4, 15])
def test_mean_encoded_sees_the_mean_of_the_label(label, random, groups, decimals):
    column = encode(label, random.integers(0, groups, ROWS)).round(decimals)
    assert leaks.mean_encoded(label, level(column)) < -9


def test_mean_encoded_sees_a_smoothed_mean(random):
    groups = random.integers(0, 40, 4 * ROWS)
    label = random.random(4 * ROWS) < random.uniform(0.1, 0.4, 40)[groups]
    assert leaks.mean_encoded(label, level(encode(label, groups, prior=10))) < -9


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([2, 10, 50, 100]))
def test_mean_encoded_leaves_an_honest_score_alone(seed, groups):
    random = np.random.default_rng(seed)
    score = random.uniform(0.02, 0.6, groups)[random.integers(0, groups, ROWS)]
    assert leaks.mean_encoded(random.random(ROWS) < score, level(score)) > -9


def test_serial_numbers(random):
    assert leaks.is_serial(level(random.permutation(ROWS) + 1_000_000))
    assert not leaks.is_serial(level(random.integers(0, ROWS, ROWS)))
    assert not leaks.is_serial(level(random.permutation(ROWS) * 5))
    assert not leaks.is_serial(level(random.random(ROWS)))


def test_hashes(random):
    assert leaks.is_hash(level(random.integers(2**60, 2**62, ROWS)))
    assert not leaks.is_hash(level(random.integers(0, 2**50, ROWS)))
    assert not leaks.is_hash(level(random.choice([2**60, 2**61], ROWS)))


def test_ordered_columns(random):
    assert leaks.is_ordered(level(np.cumsum(random.random(ROWS) + 0.1)))
    assert leaks.is_ordered(level(-np.arange(ROWS)))
    assert not leaks.is_ordered(level(random.random(ROWS)))
    assert not leaks.is_ordered(level(np.full(ROWS, 3.0)))


def test_shared_groups():
    groups = np.array([0, 0, 1, 1, 2, 2, -1, -1])
    test = np.array([False, True, False, False, True, True, False, True])
    assert leaks.shared_groups(groups, test).tolist() == [0]


def table(*columns):
    return tuple(level(column) for column in columns)


def test_duplicate_rows_finds_copies_and_names_both(label, test, random):
    source = np.arange(ROWS)
    copies = random.choice(ROWS, 800, replace=False)
    source[copies] = random.integers(0, ROWS, 800)
    columns = table(random.normal(size=ROWS)[source], random.integers(0, 9, ROWS)[source])
    found = leaks.duplicate_rows(label[source], columns, test)
    assert 0.1 < found.share < 0.3
    assert len(found.pairs) == 5
    for row, twin in found.pairs:
        assert test[row]
        assert not test[twin]
        assert label[source][row] == label[source][twin]
        assert all(column.codes[row] == column.codes[twin] for column in columns)


def test_duplicate_rows_finds_an_oversampled_class(label, test, random):
    source = np.concatenate([np.flatnonzero(~label), random.choice(np.flatnonzero(label), ROWS)])
    columns = table(random.normal(size=ROWS)[source], random.gamma(2, 1, ROWS)[source])
    part = np.random.default_rng(0).random(len(source)) < 0.2
    assert leaks.duplicate_rows(label[source], columns, part).share > 0.4


def test_duplicate_rows_leaves_coarse_data_alone(label, test, random):
    place = random.integers(0, 200, ROWS)
    yes_no = [random.integers(0, 2, ROWS) for _ in range(3)]
    coarse = {
        "booleans": yes_no,
        "one column": [random.integers(18, 90, ROWS)],
        "a place and what follows from it": [place, place // 10, place * 1.7, *yes_no],
        "correlated": [yes_no[0]] * 20,
    }
    for name, columns in coarse.items():
        assert leaks.duplicate_rows(label, table(*columns), test).share < 0.05, name


def test_duplicate_rows_of_no_columns(label, test):
    assert leaks.duplicate_rows(label, (), test).share == 0.0
