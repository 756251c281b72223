"""What a text means, as a direction: a sentence-transformers model as an ONNX graph, without torch.

The graph takes ``numbers`` (int64 [t], word pieces) and gives ``embedding`` (float32 [E], of length 1). One text a
call: its answer depends on no other, and nothing is spent on padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnxruntime as ort

from drivetrain.core.sessions import open_session
from drivetrain.ops.text_features import Numbers
from drivetrain.ops.wordpiece import WordPieces

NUMBERS, EMBEDDING = "numbers", "embedding"


@dataclass(frozen=True, eq=False)
class Embedding:
    """The graph's bytes, its vocabulary (piece ``i`` has the number ``i``) and the most pieces that it reads."""

    graph: bytes
    vocabulary: tuple[str, ...]
    most: int

    @cached_property
    def width(self) -> int:
        """How many columns a text becomes."""
        return len(self.of(""))

    @cached_property
    def pieces(self) -> WordPieces:
        """What cuts a text into the numbers that the graph takes."""
        return WordPieces(self.vocabulary, self.most)

    def of(self, text: str) -> Numbers:
        """A text's direction [E]; texts that mean the same have a product near 1. Raises InvalidInput."""
        numbers = np.array(self.pieces.numbers(text), dtype=np.int64)
        (found,) = self._session.run([EMBEDDING], {NUMBERS: numbers})
        return np.asarray(found, dtype=np.float64).reshape(-1)

    @cached_property
    def _session(self) -> ort.InferenceSession:
        return open_session(self.graph, "embedding.onnx")
