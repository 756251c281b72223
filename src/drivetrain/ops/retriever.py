"""Finds the few items that somebody may buy next, and says of each what a model ranks them by.

A retriever is data: what goes with what (each item's strongest neighbours), what is named alike, what is popular. The
same code runs over it in training, row by row, and in the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from drivetrain.core.arrays import from_npy, to_npy
from drivetrain.core.decoding import read_json
from drivetrain.ops.history import History, Places
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.model_files import reading

COLUMNS = (
    "goes_with", "goes_with_lately", "alike", "popular", "popular_ever", "price", "price_to_usual", "times_bought",
    "share_of_baskets", "days_since_bought", "baskets_since_bought", "due", "customer_baskets", "customer_items",
    "days_since_basket", "days_between_baskets",
)  # fmt: skip
"""What is said of a candidate, in this order. NaN: not bought before, no price, no basket."""
_SPEC = "retriever.json"
_BLOCK = 256
_LATELY = 0.7
"""What a basket counts in ``goes_with_lately``, compared with the one after it."""
_OWN, _POPULAR, _ALIKE = 0.5, 0.15, 0.05
"""Of the candidates: the share of what was bought before at most, and of popular and similar things at least."""


def blocks(many: int) -> Iterator[slice]:
    """So many items of a history in parts: a long one at once is slower, and keeps other threads waiting."""
    return (slice(start, start + _BLOCK) for start in range(0, many, _BLOCK))


@dataclass(frozen=True)
class CatalogueItem:
    """An item as a person knows it. ``category`` is empty where there is none."""

    item: str
    name: str = ""
    category: str = ""
    in_stock: bool = True


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Of each item the strongest others: their places int32 [I, K], and how strong they are float32 [I, K].

    Where an item has fewer, the weight is 0.
    """

    places: NDArray[np.int32]
    weights: NDArray[np.float32]

    def sums(self, items: Places, weights: Numbers) -> Numbers:
        """What ``items`` [h], weighed [h], say of every item together, [I]."""
        found = np.zeros(len(self.places))
        for part in blocks(len(items)):
            said = self.weights[items[part]] * weights[part, None]
            found += np.bincount(self.places[items[part]].ravel(), said.ravel(), len(self.places))
        return found

    def most(self, items: Places) -> Numbers:
        """The strongest that any of ``items`` [h] says of every item, [I]."""
        found = np.zeros(len(self.places))
        for part in blocks(len(items)):
            np.maximum.at(found, self.places[items[part]].ravel(), self.weights[items[part]].ravel())
        return found


@dataclass(frozen=True, eq=False)
class Candidates:
    """Items worth ranking: their places [c], and COLUMNS of each, [c, 16]."""

    places: Places
    columns: Numbers


@dataclass(frozen=True, eq=False)
class Retriever:
    """What was known of I items at a moment: ``popular`` and ``popular_ever`` are shares of baskets and of customers.

    ``price`` is the last one, NaN where an item was never sold; ``most`` is how many candidates are found at most.
    """

    catalogue: tuple[CatalogueItem, ...]
    together: Neighbours
    alike: Neighbours
    popular: Numbers
    popular_ever: Numbers
    price: Numbers
    most: int

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Where in the catalogue an item stands."""
        return {each.item: place for place, each in enumerate(self.catalogue)}

    @cached_property
    def sold_out(self) -> tuple[str, ...]:
        """The items that are not in stock."""
        return tuple(each.item for each in self.catalogue if not each.in_stock)

    def candidates(self, history: History, barred: Places | None = None) -> Candidates:
        """The items that somebody with this history may buy next, but for those that are ``barred``.

        What they bought before, what goes with that, what is popular, and of what nobody bought yet that which is named
        alike.
        """
        score, most = _Score(self, history), self.most
        free = np.ones(len(self.catalogue), dtype=np.bool_)
        if barred is not None:
            free[barred] = False
        own = history.times * _LATELY**history.baskets_ago
        before = history.items[np.argsort(-own, kind="stable")]
        chosen = [before[free[before]][: int(most * _OWN)]]
        free[history.items] = False
        for values, share in ((self.popular, _POPULAR), (score.alike * (self.popular_ever == 0), _ALIKE)):
            chosen.append(_best(values, free, int(most * share)))
            free[chosen[-1]] = False
        chosen.append(_best(score.goes_with + 1e-9 * self.popular_ever, free, most - sum(map(len, chosen))))
        places = np.concatenate(chosen)
        return Candidates(places, score.columns(places))

    def columns(self, history: History, places: Places) -> Numbers:
        """COLUMNS of these items for somebody with this history, [c, 16]; a place of -1 is an item nobody knows."""
        known = np.where(places < 0, 0, places)
        found = _Score(self, history).columns(known)
        found[places < 0, :7] = (0, 0, 0, 0, 0, np.nan, np.nan)
        found[places < 0, 7:12] = (0, 0, np.nan, np.nan, np.nan)
        return found

    def files(self, prefix: str) -> dict[str, bytes]:
        """The retriever as files whose names begin with ``prefix``; the same one gives the same bytes."""
        arrays: dict[str, NDArray[np.floating]] = {
            "together_places": self.together.places.astype(np.float32), "together_weights": self.together.weights,
            "alike_places": self.alike.places.astype(np.float32), "alike_weights": self.alike.weights,
            "items": np.column_stack([self.popular, self.popular_ever, self.price]),
        }  # fmt: skip
        spec = msgspec.json.encode(_Spec(self.most, self.catalogue)) + b"\n"
        return {f"{prefix}{_SPEC}": spec, **{f"{prefix}{name}.npy": to_npy(values) for name, values in arrays.items()}}


class _Spec(msgspec.Struct):
    most: int
    catalogue: tuple[CatalogueItem, ...]


class _Score:
    """What a history says of every item of a catalogue."""

    def __init__(self, retriever: Retriever, history: History) -> None:
        self._retriever, self._history = retriever, history
        self.goes_with = retriever.together.sums(history.items, np.ones(len(history)))
        self._lately = retriever.together.sums(history.items, _LATELY**history.baskets_ago)
        self.alike = retriever.alike.most(history.items)

    def columns(self, places: Places) -> Numbers:
        """COLUMNS of the items at these places."""
        retriever, history, n = self._retriever, self._history, len(places)
        usual = float(np.nanmean(paid)) if np.isfinite(paid := retriever.price[history.items]).any() else np.nan
        own = np.full(len(retriever.catalogue), -1)
        own[history.items] = np.arange(len(history))
        mine = own[places]
        is_old = mine >= 0

        def of_own(values: Numbers, otherwise: float) -> Numbers:
            return np.where(is_old, values[mine], otherwise) if len(values) else np.full(n, otherwise)

        times, days = of_own(history.times, 0.0), of_own(history.days, np.nan)
        rhythm = days / (history.days_between * history.baskets / np.maximum(times, 1.0))
        columns = (
            self.goes_with[places], self._lately[places], self.alike[places], retriever.popular[places],
            retriever.popular_ever[places], retriever.price[places], retriever.price[places] / usual, times,
            times / max(history.baskets, 1), days, of_own(history.baskets_ago, np.nan), rhythm,
            np.full(n, history.baskets), np.full(n, len(history)), np.full(n, history.idle_days),
            np.full(n, history.days_between),
        )  # fmt: skip
        return np.column_stack(columns).astype(np.float64)


def retriever_from(files: Mapping[str, bytes], prefix: str) -> Retriever:
    """The retriever that ``files`` holds. Raises InvalidInput when a file is missing, damaged or does not fit."""
    with reading(prefix):
        spec = read_json(files[prefix + _SPEC], _Spec)
        catalogue = spec.catalogue
        items = _array(files, f"{prefix}items.npy")
        together, alike = (_neighbours(files, f"{prefix}{name}", len(catalogue)) for name in ("together", "alike"))
        if items.shape != (len(catalogue), 3):
            raise ValueError(f"numbers of {items.shape} for {len(catalogue)} items")
    popular, popular_ever, price = np.ascontiguousarray(items.T)
    return Retriever(catalogue, together, alike, popular, popular_ever, price, spec.most)


def _neighbours(files: Mapping[str, bytes], prefix: str, many: int) -> Neighbours:
    places, weights = _array(files, f"{prefix}_places.npy"), _array(files, f"{prefix}_weights.npy")
    if places.shape != weights.shape or len(places) != many or not ((places >= 0) & (places < max(many, 1))).all():
        raise ValueError(f"{prefix} does not fit a catalogue of {many} items")
    return Neighbours(places.astype(np.int32), weights.astype(np.float32))


def _array(files: Mapping[str, bytes], name: str) -> Numbers:
    return from_npy(files[name])


def _best(values: Numbers, free: NDArray[np.bool_], many: int) -> Places:
    """The places of the ``many`` greatest values above 0 that are free, the greatest first."""
    able = np.flatnonzero(free & (values > 0))
    if len(able) > many:
        able = able[np.argpartition(-values[able], many - 1)[:many]] if many > 0 else able[:0]
    return able[np.argsort(-values[able], kind="stable")]
