"""Why an item is recommended, in words that a customer understands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
import numpy as np

from drivetrain.ops.history import History, Places
from drivetrain.ops.retriever import Neighbours, Retriever, blocks

Reason = Literal["bought before", "often bought with", "named like", "popular"]


class Because(msgspec.Struct, frozen=True):
    """The reason, and the item of the history that led to it (empty for what is popular)."""

    reason: Reason
    item: str


def reasons(retriever: Retriever, history: History, places: Places) -> list[Because]:
    """The plainest reason why each of these items is a candidate: itself, what it goes with, what it is named like."""
    known = retriever.catalogue
    found = {place: Because("popular", "") for place in places.tolist()}
    kinds: tuple[tuple[Reason, Neighbours], ...] = (
        ("named like", retriever.alike),
        ("often bought with", retriever.together),
    )
    for reason, neighbours in kinds:  # the plainer one comes later, and counts
        found |= {place: Because(reason, known[led].item) for place, led in _strongest(neighbours, history, places)}
    found |= {place: Because("bought before", known[place].item) for place in history.items.tolist() if place in found}
    return [found[place] for place in places.tolist()]


def _strongest(neighbours: Neighbours, history: History, places: Places) -> Iterable[tuple[int, int]]:
    """Of each of these items that something in the history leads to: its place, and that of the strongest such thing.

    All at once: a look at each item for itself takes as long as to find them all.
    """
    wanted = np.zeros(len(neighbours.places), dtype=np.bool_)
    wanted[places] = True
    found: dict[int, tuple[float, int]] = {}
    for part in blocks(len(history)):
        items = history.items[part]
        others, weights = neighbours.places[items], neighbours.weights[items]
        rows, at = np.nonzero(wanted[others] & (weights > 0))
        leads = zip(others[rows, at].tolist(), weights[rows, at].tolist(), items[rows].tolist(), strict=True)
        for place, weight, led in leads:
            if weight > found.get(place, (0.0, 0))[0]:  # of equal ones the first of the history
                found[place] = weight, led
    return {place: led for place, (_, led) in found.items()}.items()
