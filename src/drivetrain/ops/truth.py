"""Labels as they are measured against, whatever the task: see ``store.labels`` for how they are read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.task import Task
from drivetrain.ops.metrics import Labels, Numbers, Truth


def halved(task: Task, truth: Truth) -> Labels:
    """Yes or no for measures that know nothing else: the commonest class or another, above the median or not."""
    if task is Task.CLASSES:
        return np.asarray(truth == np.bincount(truth[truth >= 0]).argmax())
    return np.asarray(truth > np.median(truth)) if task is Task.NUMBER else truth.astype(np.bool_)


def strata(task: Task, truth: Truth, least: int) -> NDArray[np.int64]:
    """The stratum [n] of each case: yes or no, its class, or which tenth of the numbers it lies in.

    Of several classes those with fewer than ``least`` cases share a stratum; where even that is too small, it joins the
    commonest class.
    """
    if task is Task.YES_NO:
        return truth.astype(np.int64)
    if task is Task.NUMBER:
        cuts = np.unique(np.quantile(truth, np.linspace(0.1, 0.9, 9)))
        codes = np.searchsorted(cuts, truth, side="right")
    else:
        codes = truth.astype(np.int64) + 1  # -1 is a class of its own
    counts = np.bincount(codes)
    common = int(counts.argmax())
    rare = (counts > 0) & (counts < least)
    if not rare.any():
        return np.asarray(codes, dtype=np.int64)
    shared = len(counts) if counts[rare].sum() >= least else common
    return np.where(rare[codes], shared, codes).astype(np.int64)


def always(task: Task, classes: int, truth: Truth, rows: int) -> Numbers:
    """What knows nothing but these truths answers to each of ``rows`` rows: base rates ([rows, K]), or the mean."""
    if task is Task.CLASSES:
        counts = np.bincount(truth[truth >= 0].astype(np.int64), minlength=classes)
        return np.tile(counts / counts.sum(), (rows, 1))
    return np.full(rows, truth.mean())


def tiled(truth: Truth, times: int) -> Truth:
    """Truths [n] over and over, for answers of several repeats."""
    return truth[np.tile(np.arange(len(truth)), times)]


def recoded(truth: Truth, known: tuple[str, ...], wanted: tuple[str, ...]) -> Truth:
    """Truths [n] that are places in the classes ``known`` as places in ``wanted``, -1 for what it does not hold.

    Truths that are no classes (``wanted`` is empty) stay as they are.
    """
    if known == wanted or not wanted:
        return truth
    places = {name: place for place, name in enumerate(wanted)}
    codes = np.array([*(places.get(name, -1) for name in known), -1], dtype=np.int64)
    return codes[truth.astype(np.int64)]


def aligned(answer: Numbers, known: tuple[str, ...], wanted: tuple[str, ...]) -> Numbers:
    """Answers [n, K] to the classes ``known`` with a column for each of ``wanted``, which holds them all: [n, W].

    A class that was not known gets the probability 0. Answers that are of no classes stay as they are.
    """
    if known == wanted:
        return answer
    wide = np.zeros((len(answer), len(wanted)))
    wide[:, [wanted.index(name) for name in known]] = answer
    return wide
