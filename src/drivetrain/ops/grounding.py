"""Whether an answer says what passages say: by its words, its numbers and its addresses.

This is a check of terms, not of sense: a sentence that turns the words of a passage round passes. It holds back what
was made up elsewhere, and what somebody who wrote into a message or a passage would have the model say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from drivetrain.ops.bm25 import WORDS

_NUMBERS = re.compile(r"[0-9]+(?:[.,][0-9]+)*")
_ADDRESSES = re.compile(r"https?://\S+|www\.\S+|[\w.+-]+@[\w-]+\.\w+")
_FRAME = frozenset(
    WORDS.of(
        "an and are as at be been but by can do does for from had has have if in is it its may must no not of on or "
        "should so such than that the their there they this to was were what when which who will with would you your"
    )
)
"""Words that stand in any sentence."""


def support(answer: str, passages: Iterable[str]) -> float:
    """The share of an answer's words (those that tell something) that stand in the passages.

    It is 0 for an answer without such a word, and for one with a number or an address that no passage has.
    """
    together = " ".join(passages)
    for pattern in (_NUMBERS, _ADDRESSES):
        if set(pattern.findall(answer)) - set(pattern.findall(together)):
            return 0.0
    known = set(WORDS.of(together))
    said = [word for word in WORDS.of(answer) if word not in _FRAME]
    return sum(word in known for word in said) / len(said) if said else 0.0
