"""Which items are named alike: what is known of an item that nobody has bought yet."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from drivetrain.ops.retriever import Neighbours

_WORD = re.compile(r"\w{2,}")
_KEPT = 20
_COMMON = 0.1
"""A word in a larger share of the names says nothing; one that two names share does."""


def alike(names: Sequence[str]) -> Neighbours:
    """Of each name the most similar others: the cosine of the words that they share, by how rare those are (TF-IDF)."""
    words = [set(_WORD.findall(name.lower())) for name in names]
    counted = Counter(word for own in words for word in own)
    rarity = {
        word: np.log(len(names) / count) for word, count in counted.items() if count <= max(2, _COMMON * len(names))
    }
    norms = [np.sqrt(sum(rarity[word] ** 2 for word in own if word in rarity)) or 1.0 for own in words]
    posting: dict[str, list[int]] = defaultdict(list)
    for place, own in enumerate(words):
        for word in own & rarity.keys():
            posting[word].append(place)
    places = np.zeros((len(names), _KEPT), np.int32)
    weights = np.zeros((len(names), _KEPT), np.float32)
    for place, own in enumerate(words):
        said: dict[int, float] = defaultdict(float)
        for word in sorted(own & rarity.keys()):
            for other in posting[word]:
                said[other] += rarity[word] ** 2 / (norms[place] * norms[other])
        said.pop(place, None)
        best = sorted(said.items(), key=lambda pair: (-pair[1], pair[0]))[:_KEPT]
        for rank, (other, weight) in enumerate(best):
            places[place, rank], weights[place, rank] = other, weight
    return Neighbours(places, weights)
