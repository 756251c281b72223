"""Rankings are fused by their ranks alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ops.fusion import fuse

rankings = st.lists(st.lists(st.integers(0, 9), unique=True, max_size=6), max_size=4)


def test_what_both_rank_high_wins_over_what_one_ranks_first():
    assert [item for item, _ in fuse([[7, 1, 2], [8, 1, 3]])] == [1, 7, 8, 2, 3]
    assert dict(fuse([[7], [8, 7]]))[7] == pytest.approx(1 / 61 + 1 / 62)


@given(rankings)
def test_every_item_once_falling_and_the_order_of_the_rankings_does_not_matter(given_rankings):
    fused = fuse(given_rankings)
    items = [item for item, _ in fused]
    assert sorted(items) == sorted({item for ranking in given_rankings for item in ranking})
    assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)
    assert dict(fuse(given_rankings[::-1])) == pytest.approx(dict(fused))


@given(st.lists(st.integers(0, 9), unique=True, max_size=6))
def test_one_ranking_stays_as_it_is(ranking):
    assert [item for item, _ in fuse([ranking])] == ranking
