"""Letters in pictures (OCR), by the models that lie in the wheel of RapidOCR: nothing is fetched, nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import MissingExtra
from drivetrain.core.papers import Box
from drivetrain.store.papers.layout import Placed

if TYPE_CHECKING:
    from rapidocr import RapidOCR

Pixels = NDArray[np.uint8]
Scan = Callable[[Pixels], tuple[Placed, ...]]
"""What finds the words of a picture [height, width, 3] (blue, green, red), with boxes in pixels."""
LONGEST_SIDE = 1800
"""Of a picture in which letters are looked for, in pixels: an A4 page of 150 dots per inch."""


def scanned(pixels: Pixels) -> tuple[Placed, ...]:
    """A Scan. Raises MissingExtra without the extra ocr."""
    found = _engine()(pixels, return_word_box=True)
    lines = getattr(found, "word_results", None) if getattr(found, "txts", None) else None
    return tuple(_words(lines)) if lines else ()


def shrunk(word: Placed, scale: float) -> Placed:
    """A word on a page that is ``scale`` times as large."""
    return Placed(word.text, Box(*(side * scale for side in word.box)))


def _words(lines: object) -> Iterator[Placed]:
    """Each line is a tuple of words: text, how sure it is, and four corners."""
    assert isinstance(lines, tuple)
    for line in lines:
        for text, _, corners in line:
            across, down = zip(*corners, strict=True)
            box = Box(float(min(across)), float(min(down)), float(max(across)), float(max(down)))
            yield from (Placed(piece, box) for piece in text.split())


@lru_cache(maxsize=1)
def _engine() -> RapidOCR:
    try:
        from rapidocr import RapidOCR
    except ImportError:
        raise MissingExtra("rapidocr", "ocr") from None
    onnx = "EngineConfig.onnxruntime"
    threads = {f"{onnx}.intra_op_num_threads": 1, f"{onnx}.inter_op_num_threads": 1}
    return RapidOCR(params={**threads, "Global.log_level": "critical", "Global.max_side_len": LONGEST_SIDE})
