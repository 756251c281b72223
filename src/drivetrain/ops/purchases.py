"""Who bought what and when, as numbers, and what a retriever knows of it at a moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.items import ItemsSpec
from drivetrain.ops.history import DAY, History, Places, history_of
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.names_alike import alike
from drivetrain.ops.retriever import CatalogueItem, Retriever
from drivetrain.ops.together import MOST_EASE, Basketry, als, ease


@dataclass(frozen=True, eq=False)
class Purchases:
    """Items of baskets [p], in the order of customer, moment and item: places of both, microseconds, and price."""

    customers: Places
    items: Places
    at: NDArray[np.int64]
    price: Numbers

    @cached_property
    def starts(self) -> Places:
        """Where each basket begins."""
        return np.flatnonzero(np.r_[True, (np.diff(self.customers) != 0) | (np.diff(self.at) != 0)])

    def baskets(self) -> Iterator[tuple[int, int, int]]:
        """Each basket: where the purchases of its customer begin, and its own begin and end."""
        starts = self.starts
        ends = np.r_[starts[1:], len(self.at)]
        first = np.searchsorted(self.customers, self.customers[starts], side="left")
        yield from zip(first.tolist(), starts.tolist(), ends.tolist(), strict=True)

    def history(self, first: int, start: int) -> History:
        """What a customer whose purchases begin at ``first`` knew just before the basket at ``start``."""
        before = slice(first, start)
        return history_of(self.items[before], self.at[before], int(self.at[start]))


class Fitter:
    """Fits retrievers at moments that may only rise: each knows what was bought before its own, and nothing else."""

    def __init__(self, catalogue: tuple[CatalogueItem, ...], purchases: Purchases, spec: ItemsSpec) -> None:
        self._catalogue, self._purchases, self._most = catalogue, purchases, spec.candidates
        self._window = round(spec.popular_days * DAY)
        self._alike = alike([item.name for item in catalogue])
        small = spec.method == "ease" or (spec.method == "auto" and len(catalogue) <= MOST_EASE)
        self._basketry = Basketry(len(catalogue)) if small else None
        self._order = np.argsort(purchases.at, kind="stable")
        self._done = 0

    def fit(self, moment: int) -> Retriever:
        """What was known at a moment (microseconds since 1970), not before that of the last call."""
        bought, many = self._purchases, len(self._catalogue)
        done = int(np.searchsorted(bought.at[self._order], moment))
        before = self._order[:done]
        pairs = np.unique(bought.customers[before] * many + bought.items[before])
        everybody, lately = max(len(np.unique(pairs // many)), 1), before[bought.at[before] >= moment - self._window]
        baskets = len(np.unique(np.searchsorted(bought.starts, lately, side="right")))
        price = np.full(many, np.nan)
        price[bought.items[before]] = bought.price[before]  # in the order of time: the last one stays
        if self._basketry is None:
            together = als(pairs // many, pairs % many, many)
        else:
            self._add(self._basketry, done)
            together = ease(self._basketry.counts)
        return Retriever(
            catalogue=self._catalogue,
            together=together,
            alike=self._alike,
            popular=np.bincount(bought.items[lately], minlength=many) / max(baskets, 1),
            popular_ever=np.bincount(pairs % many, minlength=many) / everybody,
            price=price,
            most=self._most,
        )

    def _add(self, basketry: Basketry, done: int) -> None:
        """Bring the common customers of items up to date."""
        fresh = np.sort(self._order[self._done : done])  # by customer, as the purchases are
        self._done = done
        customers = self._purchases.customers[fresh]
        starts = np.flatnonzero(np.r_[True, np.diff(customers) != 0])[: len(customers)]
        for part in np.split(fresh, starts[1:]) if len(fresh) else ():
            basketry.add(int(self._purchases.customers[part[0]]), np.unique(self._purchases.items[part]))
