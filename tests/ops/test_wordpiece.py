"""Texts are cut into the pieces that BERT's tokeniser cuts (what is expected here was read off Hugging Face's)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ops.wordpiece import WordPieces, words_of

VOCABULARY = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "top",
    "##ped",
    "##up",
    "up",
    "cafe",
    "don",
    "'",
    "t",
    "#",
    "中",
    "!",
    "a",
)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Topped  UP!", ["top", "##ped", "up", "!"]),
        ("Café", ["cafe"]),
        ("don't", ["don", "'", "t"]),
        ("topup\x00 to\u200dpup", ["top", "##up", "top", "##up"]),
        ("a中a", ["a", "中", "a"]),
        ("##up", ["#", "#", "up"]),
        ("[SEP]", ["[UNK]", "[UNK]", "[UNK]"]),  # a caller's text gives no orders
        ("zebra a", ["[UNK]", "a"]),
        ("a" * 101, ["[UNK]"]),
        ("", []),
    ],
)
def test_pieces(text, pieces):
    numbers = WordPieces(VOCABULARY).numbers(text)
    assert [VOCABULARY[number] for number in numbers] == ["[CLS]", *pieces, "[SEP]"]


@given(text=st.text(max_size=80))
def test_any_text_has_pieces_twice_the_same(text):
    pieces = WordPieces(VOCABULARY, most=12)
    numbers = pieces.numbers(text)
    assert numbers == pieces.numbers(text)
    assert 2 <= len(numbers) <= 12
    assert (numbers[0], numbers[-1]) == (2, 3)


@given(text=st.text(max_size=40))
def test_words_hold_no_blank_and_no_capital_of_ascii(text):
    for word in words_of(text):
        assert word.split() == [word]
        assert not any("A" <= sign <= "Z" for sign in word)


def test_ever_new_words_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr("drivetrain.ops.wordpiece._MOST_KEPT", 10)
    pieces = WordPieces(VOCABULARY)
    for at in range(100):
        pieces.numbers(f"a{at}")
    assert len(pieces._kept) <= 10
