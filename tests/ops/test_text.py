"""A text becomes the margins of the linear model that it stands for, from files too, and fast."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_union

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.text import TextEncoder, encoder_from
from drivetrain.ops.text_features import learn_weights
from drivetrain.ops.text_terms import Terms

CORPUS = [
    "my card was lost", "the card has not arrived", "top up by card failed", "Überweisung nicht angekommen", "",
    "how do I top up?", "银行卡 丢了", "card card card",
]  # fmt: skip
BLOCKS = (Terms("word", 1, 2), Terms("char_wb", 2, 5))


def made(width=3):
    blocks = tuple(learn_weights(CORPUS, terms) for terms in BLOCKS)
    chance = np.random.default_rng(0)
    features = sum(len(block.known) for block in blocks)
    return TextEncoder(blocks, chance.normal(size=(features, width)).astype(np.float32), chance.normal(size=width))


@pytest.fixture(scope="module")
def encoder():
    return made()


@settings(max_examples=40)
@given(texts=st.lists(st.one_of(st.none(), st.text(max_size=40), st.sampled_from(CORPUS)), max_size=5))
def test_margins_are_those_of_scikit_learns_features(encoder, texts):
    span = [{"analyzer": t.unit, "ngram_range": (t.shortest, t.longest), "sublinear_tf": True} for t in BLOCKS]
    union = make_union(*(TfidfVectorizer(**options) for options in span)).fit(CORPUS)
    expected = (
        np.zeros((0, 3)) if not texts else union.transform([t or "" for t in texts]) @ encoder.weights.astype(float)
    )
    assert np.allclose(encoder.encode(texts), expected + encoder.intercept, rtol=0, atol=1e-9)


@settings(max_examples=40)
@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=5))
def test_a_text_alone_becomes_what_it_becomes_among_others(encoder, texts):
    alone = np.vstack([encoder.encode([text]) for text in texts])
    assert alone.tobytes() == encoder.encode(texts).tobytes()


def test_files_and_back(encoder):
    files = encoder.files("texts/message/")
    assert all(name.startswith("texts/message/") for name in files)
    again = encoder_from(files, "texts/message/")
    assert again.files("texts/message/") == files
    assert again.encode(CORPUS).tobytes() == encoder.encode(CORPUS).tobytes()


@pytest.mark.parametrize("name", ["encoder.json", "idf.npy", "weights.npy", "intercept.npy"])
def test_files_that_are_missing_damaged_or_of_another_encoder_are_refused(encoder, name):
    files = encoder.files()
    other = TextEncoder(encoder.blocks[:1], encoder.weights[:7, :2], encoder.intercept[:2]).files()
    for changed in (None, b"", files[name][:-20], other[name]):
        wrong = {**files, name: changed} if changed is not None else {k: v for k, v in files.items() if k != name}
        with pytest.raises(InvalidInput):
            encoder_from(wrong).encode(["card"])


def test_a_short_text_is_quick(encoder):
    text = "I topped up with my card yesterday, but it has not arrived?"
    encoder.encode([text])
    times = []
    for _ in range(50):
        start = time.perf_counter()
        encoder.encode([text])
        times.append(time.perf_counter() - start)
    assert min(times) < 1e-3, "it takes about 0.1 ms; ten times that is another algorithm"
