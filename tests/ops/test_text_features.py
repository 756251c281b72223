"""TF-IDF is scikit-learn's TfidfVectorizer's, learned and applied, of any text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from drivetrain.ops.text_features import TfIdf, count_terms, learn_weights
from drivetrain.ops.text_terms import TermNumbers, Terms

words = st.sampled_from(["card", "Card", "lost", "the", "naïve", "Straße", "don't", "top-up", "x", "银行", "№5"])
texts = st.one_of(st.lists(words, max_size=12).map(" ".join), st.text(max_size=40))
corpora = st.lists(texts, min_size=1, max_size=12)
KINDS = [Terms("word", 1, 2), Terms("char_wb", 2, 5), Terms("char_wb", 2, 4, strip_accents=True)]


def theirs(terms, **more):
    accents = "unicode" if terms.strip_accents else None
    span = (terms.shortest, terms.longest)
    return TfidfVectorizer(analyzer=terms.unit, ngram_range=span, strip_accents=accents, **more)


def dense(weights, sublinear, text):
    row = np.zeros(len(weights.known))
    ids, values = TfIdf([weights], sublinear=sublinear).of(text)
    assert (np.diff(ids) > 0).all()
    row[ids] = values
    return row


@pytest.mark.parametrize("terms", KINDS, ids=str)
@settings(max_examples=40)
@given(corpus=corpora, other=texts, sublinear=st.booleans(), min_texts=st.integers(1, 3))
def test_weights_and_values_are_scikit_learns(terms, corpus, other, sublinear, min_texts):
    weights = learn_weights(corpus, terms, min_texts)
    vectorizer = theirs(terms, sublinear_tf=sublinear, min_df=min_texts)
    if not weights.known:  # which it refuses
        with pytest.raises(ValueError, match=r"vocabulary|no terms|max_df"):
            vectorizer.fit(corpus)
        return
    vectorizer.fit(corpus)
    assert weights.known == tuple(vectorizer.get_feature_names_out())
    assert np.array_equal(weights.idf, vectorizer.idf_)
    for text in [*corpus, other]:
        expected = vectorizer.transform([text]).toarray()[0]
        assert np.allclose(dense(weights, sublinear, text), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("terms", KINDS, ids=str)
@settings(max_examples=40)
@given(corpus=corpora)
def test_counts_are_scikit_learns(terms, corpus):
    numbers = TermNumbers(terms)
    counts = count_terms(corpus, numbers)
    ours = sparse.csr_matrix((counts.counts, counts.ids, counts.starts), shape=(len(corpus), len(numbers)))
    if not len(numbers):
        assert ours.nnz == 0
        return
    accents = "unicode" if terms.strip_accents else None
    span = (terms.shortest, terms.longest)
    known = {term: number for number, term in enumerate(numbers.known())}
    counter = CountVectorizer(analyzer=terms.unit, ngram_range=span, strip_accents=accents, vocabulary=known)
    assert np.array_equal(ours.toarray(), counter.transform(corpus).toarray())
    assert np.array_equal(counts.texts_with(len(numbers)), (ours.toarray() > 0).sum(axis=0))


def test_no_texts_have_no_counts():
    assert len(count_terms([], TermNumbers(KINDS[0]))) == 0
