"""A document as it was read: its text, and where a piece of it stands."""

import pytest

from drivetrain.core.papers import Block, Box, Page, Paper, Spot

ONE, TWO, THREE = Box(10, 10, 30, 20), Box(35, 9, 60, 21), Box(300, 10, 350, 20)
PAPER = Paper(
    "application/pdf",
    (
        Page((Block("Total sum", 0, (ONE, TWO)), Block("9.00", 0, (THREE,)), Block("thanks", 1, (ONE,))), 595, 842),
        Page((Block("end", 0),)),
    ),
)


def test_the_text_keeps_lines_cells_and_pages():
    assert PAPER.text == "Total sum\t9.00\nthanks\n\nend"


@pytest.mark.parametrize(
    ("piece", "spot"),
    [
        ("Total sum", Spot(1, Box(10, 9, 60, 21))),
        ("sum", Spot(1, TWO)),
        ("otal", Spot(1, ONE)),
        ("9.00", Spot(1, THREE)),
        ("thanks", Spot(1, ONE)),
        ("end", Spot(2, None)),
    ],
)
def test_a_piece_of_the_text_has_a_place_on_its_page(piece, spot):
    start = PAPER.text.index(piece)
    assert PAPER.spot(start, start + len(piece)) == spot


def test_blocks_tell_where_they_begin_in_the_text():
    found = [(page, PAPER.text[start : start + len(block.text)]) for page, start, block in PAPER.placed()]
    assert found == [(1, "Total sum"), (1, "9.00"), (1, "thanks"), (2, "end")]
