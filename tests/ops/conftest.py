"""What the tests of pure arithmetic share: cases with ties, and few of them, because that is where formulas break."""

import numpy as np
import pytest
from hypothesis import strategies as st


def _cases(rows):
    label, score = zip(*rows, strict=True)
    return np.array(label), np.array(score, dtype=np.float64)


_scores = st.one_of(st.floats(0, 1, allow_subnormal=False), st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]))
_rows = st.lists(st.tuples(st.booleans(), _scores), min_size=2, max_size=60)


@pytest.fixture(scope="session")
def cases():
    """A strategy: labels and scores with at least one case of each class."""
    return _rows.filter(lambda rows: len({label for label, _ in rows}) == 2).map(_cases)


@pytest.fixture(scope="session")
def loans():
    """30,000 cases of which one in fifteen is true, and scores that know something about them."""
    generator = np.random.default_rng(7)
    label = generator.random(30_000) < 0.067
    logit = generator.normal(size=label.size) + 1.7 * label - 3.2
    return label, 1 / (1 + np.exp(-logit))
