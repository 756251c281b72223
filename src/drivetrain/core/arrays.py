"""Arrays of numbers as the bytes of a ``.npy`` file, never a pickle."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray


def to_npy(values: NDArray[np.floating]) -> bytes:
    """The file's bytes; the same numbers of the same type give the same bytes."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(values), allow_pickle=False)
    return buffer.getvalue()


def from_npy(content: bytes) -> NDArray[np.float64]:
    """The numbers in the file's bytes, as doubles. Raises ValueError when it holds anything else."""
    try:
        return np.asarray(np.lib.format.read_array(io.BytesIO(content), allow_pickle=False), dtype=np.float64)
    except (TypeError, EOFError, MemoryError) as error:
        raise ValueError(f"no array of numbers: {error}") from error
