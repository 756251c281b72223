"""A text as the numbers of its word pieces, as BERT models without capitals read it (Devlin 2019; Wu et al. 2016).

Signs of control are dropped, Chinese signs and punctuation stand alone, letters become small and lose their accents.
A word is then the longest piece of the vocabulary that it begins with, and so on; the rest of a word begins with
``##``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

UNKNOWN, FIRST, LAST = "[UNK]", "[CLS]", "[SEP]"
_CONTINUES = "##"
_CONTROL = ("Cc", "Cf", "Co")
_LONGEST_WORD = 100
_MOST_KEPT = 50_000
_CHINESE = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


def words_of(text: str) -> list[str]:
    """The words and signs that pieces are looked for in."""
    plain = unicodedata.normalize("NFD", "".join(map(_spaced, text))).lower()
    return "".join(map(_parted, plain)).split()


class WordPieces:
    """Numbers the pieces of texts by a vocabulary: piece ``i`` has the number ``i``."""

    def __init__(self, vocabulary: Sequence[str], most: int = 256) -> None:
        """``most`` is how many numbers a text gets at the most, the ends included."""
        self._numbers = {piece: number for number, piece in enumerate(vocabulary)}
        self._first, self._last, self._unknown = (self._numbers[piece] for piece in (FIRST, LAST, UNKNOWN))
        self._most = most
        self._kept: dict[str, tuple[int, ...]] = {}

    def numbers(self, text: str) -> list[int]:
        """The numbers of a text, between those of its first and its last sign."""
        found = [self._first]
        for word in words_of(text):
            found += self._of_word(word)
            if len(found) >= self._most:
                break
        return [*found[: self._most - 1], self._last]

    def _of_word(self, word: str) -> tuple[int, ...]:
        found = self._kept.get(word)
        if found is None:
            found = tuple(self._cut(word))
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[word] = found
        return found

    def _cut(self, word: str) -> list[int]:
        if len(word) > _LONGEST_WORD:
            return [self._unknown]
        found: list[int] = []
        start = 0
        while start < len(word):
            prefix = _CONTINUES if start else ""
            ends = (end for end in range(len(word), start, -1) if prefix + word[start:end] in self._numbers)
            end = next(ends, None)
            if end is None:
                return [self._unknown]
            found.append(self._numbers[prefix + word[start:end]])
            start = end
        return found


def _spaced(sign: str) -> str:
    """A blank for every kind of blank, nothing for signs of control, room around Chinese."""
    if sign in "\t\n\r" or unicodedata.category(sign) == "Zs":
        return " "
    if sign in "\0\ufffd" or unicodedata.category(sign) in _CONTROL:
        return ""
    return f" {sign} " if any(low <= ord(sign) <= high for low, high in _CHINESE) else sign


def _parted(sign: str) -> str:
    """Nothing for an accent, room around punctuation; in ASCII everything counts that is no letter, digit or blank."""
    category = unicodedata.category(sign)
    if category == "Mn":
        return ""
    apart = category.startswith("P") or (sign.isascii() and sign.isprintable() and not sign.isalnum() and sign != " ")
    return f" {sign} " if apart else sign
