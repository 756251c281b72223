"""BM25 finds what a plain second implementation of the formula finds."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ops.bm25 import WORDS, Bm25, index_passages

PASSAGES = (
    "What does a building permit cost? The fee follows the tariff of the municipality.",
    "How long does it take to get a building permit? Ten weeks.",
    "Which drawings are required? A site plan and floor plans.",
    "",
)
words = st.lists(st.sampled_from(["permit", "cost", "plan", "weeks", "the", "naïve"]), max_size=8).map(" ".join)


def plain(passages, question, k1=1.2, b=0.75):
    cut = [WORDS.of(passage) for passage in passages]
    mean = max(sum(map(len, cut)) / len(cut), 1.0)
    scores = []
    for terms in cut:
        counts, score = Counter(terms), 0.0
        for term in WORDS.of(question):
            n = sum(term in other for other in cut)
            idf = math.log(1 + (len(cut) - n + 0.5) / (n + 0.5))
            score += idf * counts[term] * (k1 + 1) / (counts[term] + k1 * (1 - b + b * len(terms) / mean))
        scores.append(score)
    return scores


@given(passages=st.lists(words, min_size=1, max_size=6), question=words)
def test_scores_are_those_of_the_formula(passages, question):
    found = Bm25(index_passages(passages)).scores(question)
    assert found.tolist() == pytest.approx(plain(passages, question), abs=1e-12)


def test_the_passage_that_answers_comes_first_and_strangers_are_left_out():
    search = Bm25(index_passages(PASSAGES)).search
    assert [hit.passage for hit in search("permit COST", 3)] == [0, 1]
    assert search("permit cost", 1)[0].score > search("permit", 1)[0].score
    assert search("weather in Paris", 3) == ()
    assert search("", 3) == ()
    assert search("plan", 0) == ()


def test_of_two_that_tie_the_earlier_comes_first():
    assert [hit.passage for hit in Bm25(index_passages(["same", "other", "same"])).search("same", 5)] == [0, 2]


def test_no_passages_answer_nothing():
    assert Bm25(index_passages([])).search("permit", 3) == ()
