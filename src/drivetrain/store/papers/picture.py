"""Pictures of documents: PNG, JPEG, TIFF of several pages, GIF, BMP, WebP."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from drivetrain.core.errors import MissingExtra
from drivetrain.core.papers import Page, Paper
from drivetrain.core.reading import PaperLimits
from drivetrain.store.papers.complaints import too_large, unknown, unreadable
from drivetrain.store.papers.layout import placed_blocks
from drivetrain.store.papers.scan import LONGEST_SIDE, Pixels, Scan, shrunk

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = ("PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP")


def read_picture(content: bytes, kind: str, limits: PaperLimits, scan: Scan | None) -> Paper:
    """The words in a picture. Raises InvalidInput without ``scan`` and for what cannot be read, MissingExtra."""
    if scan is None:
        raise unknown("a picture, and nobody is to look for letters in it")
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise MissingExtra("pillow", "ocr") from None

    pages = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd but harmless details
            image = Image.open(BytesIO(content), formats=_FORMATS)
            frames = int(getattr(image, "n_frames", 1)) if kind == "image/tiff" else 1
            if frames > limits.pages:
                raise too_large(f"the picture has {frames:,} pages, more than {limits.pages:,}")
            for number in range(frames):
                image.seek(number)
                pages.append(_page(image, limits, scan))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise unreadable("picture", error) from error
    return Paper(kind, tuple(pages))


def _page(image: Image, limits: PaperLimits, scan: Scan) -> Page:
    from PIL import ImageOps

    if image.width * image.height > limits.pixels:
        raise too_large(f"the picture has {image.width * image.height:,} pixels, more than {limits.pixels:,}")
    upright = ImageOps.exif_transpose(image)
    width, height = upright.size
    scale = min(1.0, LONGEST_SIDE / max(width, height))
    if scale < 1:
        upright = upright.convert("RGB").resize((max(1, round(width * scale)), max(1, round(height * scale))))
    return Page(placed_blocks(shrunk(word, 1 / scale) for word in scan(_pixels(upright))), width, height)


def _pixels(image: Image) -> Pixels:
    """[height, width, 3], blue first; what is transparent is white."""
    from PIL import Image as Images

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        seen = image.convert("RGBA")
        image = Images.alpha_composite(Images.new("RGBA", seen.size, "white"), seen)
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
