"""Threads to fit on, one for each core."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from threadpoolctl import threadpool_limits


@dataclass(frozen=True)
class Lanes:
    """Threads to fit and judge on, and how many."""

    pool: ThreadPoolExecutor
    count: int


@contextmanager
def open_lanes() -> Iterator[Lanes]:
    """A thread for each core, and one core for each thread: sums then do not depend on how many cores there are."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with threadpool_limits(1), ThreadPoolExecutor(count, initializer=_one_core) as pool:
        yield Lanes(pool, count)


def _one_core() -> None:
    threadpool_limits(1, user_api="openmp")  # OpenMP keeps this number for each thread that calls it
