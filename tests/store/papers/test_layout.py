"""Words with boxes become lines and blocks, whatever their order."""

from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.papers import Box
from drivetrain.store.papers.layout import Placed, placed_blocks, plain_blocks

WORDS = [
    Placed("Total", Box(50, 100, 75, 112)), Placed("due", Box(78, 101, 95, 113)),
    Placed("9.00", Box(400, 100, 425, 112)), Placed("Name", Box(50, 60, 80, 72)), Placed("VAT", Box(50, 118, 70, 130)),
]  # fmt: skip


@given(st.permutations(WORDS))
def test_words_of_a_line_close_together_are_a_block(words):
    found = [(block.line, block.text, len(block.boxes)) for block in placed_blocks(words)]
    assert found == [(0, "Name", 1), (1, "Total due", 2), (1, "9.00", 1), (2, "VAT", 1)]


def test_small_print_beside_large_stands_on_its_line():
    words = [Placed("BIG", Box(50, 50, 120, 90)), Placed("small", Box(125, 74, 150, 84))]
    assert [block.line for block in placed_blocks(words)] == [0]


def test_plain_lines_have_cells_and_no_boxes():
    blocks = plain_blocks("  a   b\tc \n\n\td\n")
    assert [(block.line, block.text) for block in blocks] == [(0, "a b"), (0, "c"), (2, "d")]
    assert not any(block.boxes for block in blocks)


def test_nothing_gives_nothing():
    assert placed_blocks([]) == ()
