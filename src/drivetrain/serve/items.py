"""How a model that ranks items gets its rows: candidates of a history, with the columns that training knew them by."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import Signature
from drivetrain.ops.history import History, history_of
from drivetrain.ops.retriever import COLUMNS, CatalogueItem, Retriever
from drivetrain.ops.why import Because, reasons
from drivetrain.serve.contender import Contender
from drivetrain.serve.rows import RowForm, Rows, entity_bytes
from drivetrain.serve.sections import missing
from drivetrain.store.segments import ENTITY_BYTES


class Bought(NamedTuple):
    """An item that somebody bought, and when: microseconds since 1970."""

    item: str
    at: int


class Asked(NamedTuple):
    """Whose next item is looked for: their name (empty: nobody knows them), what they bought, and now."""

    customer: str
    bought: Sequence[Bought]
    now: int


class Found(NamedTuple):
    """Items to rank: what they are, why they were found, their rows, and how many seconds that took."""

    items: Sequence[CatalogueItem]
    why: Sequence[Because]
    rows: Rows
    seconds: float


class ItemForm(RowForm):
    """How the candidates of one model are found and packed; rows that somebody else made are read as everywhere."""

    def __init__(self, signature: Signature, retriever: Retriever) -> None:
        super().__init__(signature)
        self.retriever = retriever
        self._columns = [COLUMNS.index(name) for name in signature.names]

    def find(self, asked: Asked, barred: Sequence[str]) -> Found:
        """The items that this model ranks for somebody, but for those that are barred."""
        began = time.perf_counter()
        known, history = self.retriever.places, self.history(asked)
        places = np.array([known[item] for item in barred if item in known], dtype=np.intp)
        found = self.retriever.candidates(history, places)
        items = [self.retriever.catalogue[place] for place in found.places.tolist()]
        names = [_name(asked.customer, each.item) for each in items]
        packed = np.ascontiguousarray(found.columns[:, self._columns]).tobytes()
        rows = Rows(packed, names, False, asked.customer.encode())
        why = reasons(self.retriever, history, found.places)
        return Found(items, why, rows, time.perf_counter() - began)

    def history(self, asked: Asked) -> History:
        """What somebody bought, of what this model knows."""
        known = [(self.retriever.places[item], at) for item, at in asked.bought if item in self.retriever.places]
        pairs: NDArray[np.int64] = np.array(known, dtype=np.int64).reshape(-1, 2)
        return history_of(pairs[:, 0].astype(np.intp), pairs[:, 1], asked.now)


def item_form(contender: Contender) -> ItemForm:
    """How a release that recommends reads rows. Raises NotFound for one that does not."""
    if not isinstance(contender.form, ItemForm):
        raise missing("features.items", contender.name)
    return contender.form


def _name(customer: str, item: str) -> bytes:
    """What a row is recorded as: customer and item, or the item alone."""
    name = f"{customer}/{item}" if customer else item
    if len(name.encode()) > ENTITY_BYTES:
        raise InvalidInput(
            "entity_invalid",
            f"customer and item together take more than {ENTITY_BYTES - 1} bytes",
            where="customer",
            hint="send a shorter key of the customer",
        )
    return entity_bytes(name, "customer")
