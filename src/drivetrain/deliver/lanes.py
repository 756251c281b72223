"""Scoring on every core, in the order of the rows, with no more rows under way than keep the cores busy."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.deliver.rows import Packed
from drivetrain.store.models import ModelScorer

Numbers = NDArray[np.float64]
ROWS_A_CALL = 32
"""A graph is fastest at this many rows a call: they stay in the processor's nearest cache."""
T = TypeVar("T")


class Lanes:
    """Scores with one model: a graph on every core (ONNX Runtime lets go of Python's lock), code in its own pool.

    ``classes`` is how many probabilities it answers; 0: one number.
    """

    def __init__(self, scorer: ModelScorer, classes: int = 0) -> None:
        self._scorer = scorer
        self._answer = (classes,) if classes else ()
        self._few = ROWS_A_CALL if scorer.in_process else 0
        self._threads = scorer.processes or cores()

    def score(self, packs: Iterable[tuple[T, Packed]]) -> Iterator[tuple[T, Packed, Numbers]]:
        """Each pack with its answers, [n] or [n, K], in order; NaN where the model has none. Raises Transient."""
        waiting: deque[tuple[T, Packed, Future[Numbers]]] = deque()
        pool = ThreadPoolExecutor(self._threads, "score")
        try:
            for key, packed in packs:
                waiting.append((key, packed, pool.submit(self._score, packed.rows)))
                if len(waiting) > 2 * self._threads:
                    yield _settled(waiting)
            while waiting:
                yield _settled(waiting)
        finally:
            pool.shutdown(cancel_futures=True)

    def _score(self, rows: Numbers) -> Numbers:
        answers = np.empty((len(rows), *self._answer))
        step = self._few or max(len(rows), 1)
        for start in range(0, len(rows), step):
            answers[start : start + step] = self._call(rows[start : start + step])
        return answers

    def _call(self, rows: Numbers) -> Numbers:
        """The answers for rows that are asked together; where that fails, of halves, down to the row it is about."""
        try:
            return self._scorer.score(rows)
        except InvalidInput:
            if len(rows) == 1:
                return np.full((1, *self._answer), np.nan)
            half = len(rows) // 2
            return np.concatenate([self._call(rows[:half]), self._call(rows[half:])])


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _settled(waiting: deque[tuple[T, Packed, Future[Numbers]]]) -> tuple[T, Packed, Numbers]:
    key, packed, scores = waiting.popleft()
    return key, packed, scores.result()
