"""Terms are cut as scikit-learn cuts them, of any text in any script."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from drivetrain.ops.text_terms import TermNumbers, Terms

KINDS = [
    Terms("word"), Terms("word", 1, 2), Terms("word", 2, 3), Terms("char_wb", 2, 5), Terms("char_wb", 1, 3),
    Terms("word", 1, 2, strip_accents=True), Terms("char_wb", 2, 5, strip_accents=True),
]  # fmt: skip
texts = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            ["Straße", "İstanbul", "naïve", "don't", "x", "e-mail", "Ünïcödé", "銀行", "ﬁx", "\x1c", "\u2003"]
        )
    ).map(" ".join),
)


def theirs(terms):
    accents = "unicode" if terms.strip_accents else None
    span = (terms.shortest, terms.longest)
    return CountVectorizer(analyzer=terms.unit, ngram_range=span, strip_accents=accents).build_analyzer()


@pytest.mark.parametrize("terms", KINDS, ids=str)
@settings(max_examples=60)
@given(text=texts)
def test_the_terms_are_scikit_learns_and_in_its_order(terms, text):
    assert terms.of(text) == theirs(terms)(text)


@pytest.mark.parametrize("terms", KINDS, ids=str)
@settings(max_examples=60)
@given(seen=st.lists(texts, max_size=5), text=texts)
def test_numbers_stand_for_terms_whether_they_grow_or_are_given(terms, seen, text):
    growing = TermNumbers(terms)
    for one in seen:
        assert [growing.known()[number] for number in growing.of(one)] == terms.of(one)
    known = growing.known()
    given_numbers = TermNumbers(terms, {term: number for number, term in enumerate(known)})
    for _ in range(2):  # the second time from what was kept
        assert [known[number] for number in given_numbers.of(text)] == [t for t in terms.of(text) if t in set(known)]


def test_endless_words_and_ever_new_ones_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr("drivetrain.ops.text_terms._MOST_KEPT", 10)
    numbers = TermNumbers(Terms("char_wb", 2, 5), {" a": 0})
    for at in range(100):
        assert numbers.of(f"a{at}").tolist() == [0]
    assert numbers.of("a" + "b" * 100_000).tolist() == [0]
    assert len(numbers._kept) <= 10
    assert max(map(len, numbers._kept)) <= 64
    assert np.array_equal(numbers.of("a0 a0"), [0, 0])
