"""What is bought together, learned from who bought what: EASE in closed form, or ALS where a catalogue is too large."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from drivetrain.ops.history import Places
from drivetrain.ops.retriever import Neighbours

MOST_EASE = 8_000
"""Items up to which a matrix of all pairs is solved."""
_STRENGTH = 300.0
_FEWEST = 10
"""Customers of an item from which on something can be said of what goes with it."""
_KEPT = 200
_FACTORS, _ROUNDS, _CONFIDENCE, _LAMBDA = 64, 10, 20.0, 5.0
_BLOCK = 512

Matrix = NDArray[np.float32]


class Basketry:
    """How often two items were bought by the same customer, [I, I], brought up to date purchase by purchase."""

    def __init__(self, items: int) -> None:
        self.counts: Matrix = np.zeros((items, items), dtype=np.float32)
        self._bought: dict[int, Places] = {}

    def add(self, customer: int, items: Places) -> None:
        """A customer bought these items; what they had bought before changes nothing."""
        before = self._bought.get(customer, np.empty(0, dtype=np.intp))
        fresh = np.setdiff1d(items, before)
        if len(fresh):
            whole = np.concatenate([before, fresh])
            self.counts[np.ix_(fresh, whole)] += 1
            self.counts[np.ix_(before, fresh)] += 1
            self._bought[customer] = whole


def ease(counts: Matrix, strength: float = _STRENGTH) -> Neighbours:
    """Which items say of another that it is bought too: counts [I, I] of common customers to neighbours.

    EASE: the linear model of each item by all others, with a ridge of ``strength`` (Steck 2019, "Embarrassingly Shallow
    Autoencoders for Sparse Data", equation 8). Items that hardly anybody bought have no neighbours.
    """
    sold = np.flatnonzero(np.diagonal(counts) >= _FEWEST)
    weights = np.zeros((len(sold), len(sold)), dtype=np.float32)
    if len(sold):
        gram = counts[np.ix_(sold, sold)]
        gram[np.diag_indices(len(sold))] += strength
        # Positive definite, so Cholesky: five times as fast as ``numpy.linalg.inv``. Only the lower half is filled.
        lower, _ = lapack.spotri(lapack.spotrf(gram, lower=1)[0], lower=1)
        inverse = np.tril(lower) + np.tril(lower, -1).T
        weights = -inverse / np.diagonal(inverse)
        np.fill_diagonal(weights, 0.0)
    return spread(strongest(weights, _KEPT), sold, len(counts))


def als(customers: Places, items: Places, many: int, seed: int = 0) -> Neighbours:
    """The same for a large catalogue, from pairs [p] of who bought what.

    Factors of customers and items by alternating least squares (Hu, Koren & Volinsky 2008); an item says of another
    what a customer with that one item would be told (``y_i (Y'Y + lambda)^-1 y_j``).
    """
    rng = np.random.default_rng(seed)
    size = min(_FACTORS, many)
    theirs = rng.normal(0, 0.01, (int(customers.max(initial=-1)) + 1, size))
    ours = rng.normal(0, 0.01, (many, size))
    by_customer, by_item = _groups(customers, items), _groups(items, customers)
    for _ in range(_ROUNDS):
        _solve(theirs, ours, by_customer)
        _solve(ours, theirs, by_item)
    gram = ours.T @ ours + _LAMBDA * np.eye(size)
    told = np.linalg.solve(gram, ours.T)
    kept = min(_KEPT, many - 1)
    places, weights = np.empty((many, kept), np.int32), np.empty((many, kept), np.float32)
    for start in range(0, many, _BLOCK):
        block = (ours[start : start + _BLOCK] @ told).astype(np.float32)
        block[np.arange(len(block)), np.arange(start, start + len(block))] = 0.0
        found = strongest(block, kept)
        places[start : start + _BLOCK], weights[start : start + _BLOCK] = found.places, found.weights
    return Neighbours(places, weights)


def strongest(weights: Matrix, kept: int) -> Neighbours:
    """Of each row of weights [n, I] the ``kept`` that are farthest from 0."""
    kept = min(kept, weights.shape[1])
    places = np.sort(np.argpartition(-np.abs(weights), kept - 1, axis=1)[:, :kept], axis=1) if kept else weights[:, :0]
    found = places.astype(np.int32)
    return Neighbours(found, np.take_along_axis(weights, found.astype(np.intp), axis=1).astype(np.float32))


def spread(found: Neighbours, sold: Places, many: int) -> Neighbours:
    """Neighbours among the items at places ``sold`` as neighbours among ``many``."""
    kept = found.places.shape[1]
    places, weights = np.zeros((many, kept), np.int32), np.zeros((many, kept), np.float32)
    places[sold], weights[sold] = sold[found.places], found.weights
    return Neighbours(places, weights)


def _groups(keys: Places, values: Places) -> list[tuple[int, Places]]:
    """For each key its values."""
    order = np.argsort(keys, kind="stable")
    found, starts = np.unique(keys[order], return_index=True)
    return list(zip(found.tolist(), np.split(values[order], starts[1:]), strict=True))


def _solve(wanted: NDArray[np.float64], given: NDArray[np.float64], groups: list[tuple[int, Places]]) -> None:
    """One half of a round: each row of ``wanted`` by the rows of ``given`` that it goes with."""
    base = given.T @ given + _LAMBDA * np.eye(given.shape[1])
    for key, values in groups:
        own = given[values]
        wanted[key] = np.linalg.solve(base + _CONFIDENCE * own.T @ own, (1 + _CONFIDENCE) * own.sum(axis=0))
