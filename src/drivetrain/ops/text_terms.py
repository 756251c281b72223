"""The terms of a text: words and runs of characters, cut as scikit-learn's vectorisers cut them.

``word``: runs of at least two word characters, alone and with their neighbours. ``char_wb``: runs of characters inside
what stands between two blanks, with a blank on either side; they survive typing errors and inflection.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
"""Numbers of terms."""

_WORDS = re.compile(r"\b\w\w+\b")
_LONGEST_KEPT = 64
"""What is longer is an address or a blob, hardly seen twice."""
_MOST_KEPT = 50_000
"""Words whose terms are remembered; about 200 bytes each."""


@dataclass(frozen=True)
class Terms:
    """What counts as a term: ``shortest`` to ``longest`` words, or characters, in a row."""

    unit: Literal["word", "char_wb"]
    shortest: int = 1
    longest: int = 1
    strip_accents: bool = False

    def plain(self, text: str) -> str:
        """The text in small letters; without accents where these do not count."""
        lower = text.lower()
        if not self.strip_accents or lower.isascii():
            return lower
        return "".join(sign for sign in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(sign))

    def of(self, text: str) -> list[str]:
        """Every term of a text, as often as it occurs."""
        plain = self.plain(text)
        if self.unit == "word":
            return self._rows_of(_WORDS.findall(plain))
        return list(chain.from_iterable(map(self.of_word, plain.split())))

    def of_word(self, word: str) -> list[str]:
        """The runs of characters of what stands between two blanks; a shorter run than is asked for counts once."""
        padded = f" {word} "
        length = len(padded)
        found = []
        for size in range(self.shortest, self.longest + 1):
            found += [padded[start : start + size] for start in range(max(1, length - size + 1))]
            if size >= length:
                break
        return found

    def _rows_of(self, words: list[str]) -> list[str]:
        found = list(words) if self.shortest == 1 else []
        for size in range(max(2, self.shortest), self.longest + 1):
            found += map(" ".join, zip(*(words[start:] for start in range(size)), strict=False))
        return found


class TermNumbers:
    """The numbers of a text's terms. One look-up in a dict each; those of a word's characters are worked out once."""

    def __init__(self, terms: Terms, numbers: Mapping[str, int] | None = None) -> None:
        """With ``numbers`` a term that is not among them is left out; without, each new term gets the next number."""
        self.terms = terms
        self._numbers: dict[str, int] = defaultdict(self._next) if numbers is None else dict(numbers)
        self._grows = numbers is None
        self._kept: dict[str, Ids] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def known(self) -> tuple[str, ...]:
        """The terms, in the order of their numbers."""
        return tuple(self._numbers)

    def of(self, text: str) -> Ids:
        """The number of every known term of a text, as often as it occurs; in no order."""
        if self.terms.unit == "word":
            return self._look_up(self.terms.of(text))
        words = self.terms.plain(text).split()
        return np.concatenate([self._of_word(word) for word in words]) if words else np.empty(0, np.int32)

    def _of_word(self, word: str) -> Ids:
        found = self._kept.get(word)
        if found is None:
            found = self._look_up(self.terms.of_word(word))
            if len(word) <= _LONGEST_KEPT:
                if len(self._kept) >= _MOST_KEPT:
                    self._kept.clear()
                self._kept[word] = found
        return found

    def _look_up(self, terms: Iterable[str]) -> Ids:
        if self._grows:
            return np.array([self._numbers[term] for term in terms], dtype=np.int32)
        found = map(self._numbers.get, terms)
        return np.array([number for number in found if number is not None], dtype=np.int32)

    def _next(self) -> int:
        return len(self._numbers)
