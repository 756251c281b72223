"""Why an item is recommended, in words that a customer understands."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from drivetrain.ops.history import History
from drivetrain.ops.retriever import Neighbours, Retriever

Reason = Literal["bought before", "often bought with", "named like", "popular"]


class Because(msgspec.Struct, frozen=True):
    """The reason, and the item of the history that led to it (empty for what is popular)."""

    reason: Reason
    item: str


def because(retriever: Retriever, history: History, place: int) -> Because:
    """The plainest reason why an item is a candidate: itself, what it goes with, what it is named like."""
    item = retriever.catalogue[place].item
    if place in history.items:
        return Because("bought before", item)
    kinds: tuple[tuple[Reason, Neighbours], ...] = (
        ("often bought with", retriever.together),
        ("named like", retriever.alike),
    )
    for reason, neighbours in kinds:
        told = np.where(neighbours.places[history.items] == place, neighbours.weights[history.items], 0.0)
        strongest = told.max(axis=1, initial=0.0)
        if len(strongest) and strongest.max() > 0:
            return Because(reason, retriever.catalogue[int(history.items[strongest.argmax()])].item)
    return Because("popular", "")
