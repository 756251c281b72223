from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from drivetrain.core.arrays import from_npy, to_npy


@given(arrays(np.float64, array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=5), elements=st.floats()))
def test_numbers_come_back_as_they_were(values: np.ndarray):
    content = to_npy(values)
    assert content == to_npy(np.asfortranarray(values)), "the same numbers, the same bytes"
    np.testing.assert_array_equal(from_npy(content), values)
    np.testing.assert_array_equal(np.load(io.BytesIO(content), allow_pickle=False), values)


def _objects() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([print], dtype=object), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"PK\x03\x04", b"\x93NUMPY", pickle.dumps([1.0]), _objects(), to_npy(np.zeros(4))[:-1],
        to_npy(np.zeros(4))[:40], to_npy(np.zeros(4)).replace(b"(4,)", b"(9,)"),
        to_npy(np.zeros(4)).replace(b"f8", b"S8"),
    ],
)  # fmt: skip
def test_what_holds_no_numbers_is_refused(content: bytes):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever NumPy says
        from_npy(content)
