"""Scanned documents: words in pictures, by weights that lie in the wheel."""

import io

import pytest

pytest.importorskip("rapidocr", reason="the extra ocr is not installed")
from PIL import Image
from tests.papers.written import At, pdf, picture

from drivetrain.core.errors import InvalidInput
from drivetrain.core.reading import PaperLimits
from drivetrain.store.papers.reading import read_paper

SLIP = pdf([At(20, 20, "Größe: café", 14), At(20, 60, "Total", 14), At(180, 60, "1.234,50 EUR", 14)], size=(320, 100))


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("letters are found without a network")

    monkeypatch.setattr("socket.socket.connect", refuse)


@pytest.mark.parametrize("kind", ["PNG", "PDF"])
def test_a_scanned_document_has_words_with_boxes(kind):
    paper = read_paper(picture(SLIP, kind, 3.0), PaperLimits())
    assert paper.text == "Größe: café\nTotal\t1.234,50 EUR"
    start = paper.text.index("1.234")
    spot = paper.spot(start, start + 8)
    assert spot.box is not None
    assert spot.box.left / paper.pages[0].width == pytest.approx(180 / 320, abs=0.04)


def test_pictures_that_are_too_large_damaged_or_empty():
    file = io.BytesIO()
    Image.new("1", (9000, 9000)).save(file, "PNG")
    white = io.BytesIO()
    Image.new("RGBA", (200, 100), (255, 255, 255, 0)).save(white, "PNG")
    for content, code in (
        (file.getvalue(), "document_too_large"),
        (picture(SLIP)[:3000], "document_unreadable"),
        (white.getvalue(), "document_without_text"),
    ):
        with pytest.raises(InvalidInput) as caught:
            read_paper(content, PaperLimits())
        assert caught.value.code == code
