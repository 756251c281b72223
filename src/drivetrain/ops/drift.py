"""How far a column moved: distributions over fixed cut points, the population stability index, and its chance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import Distribution
from drivetrain.core.task import Task
from drivetrain.ops.metrics import Numbers

_SPARSE = 5.0
"""Cochran's rule: below five expected rows in a cell, the chi-square distribution is a poor approximation."""


def cut_points(values: Numbers, bins: int = 20) -> tuple[float, ...]:
    """Rising cut points that part ``values`` [n] into about ``bins`` bins of equal count; missing values are left out.

    A value that alone fills a bin (zero, often) gets a bin of its own, the rest is shared out among the other bins, and
    no bin holds less than a quarter of an equal share. Cuts lie half way between two values that occur. Few distinct
    values give fewer bins; one or none gives no cut.
    """
    distinct, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    if distinct.size < 2:
        return ()
    share = counts.sum() / bins
    spike = counts >= share
    rest = np.where(spike, 0, counts)
    wanted = max(1, bins - int(spike.sum()))
    part = np.cumsum(rest) * wanted // (rest.sum() + 1)
    changes = spike[1:] | spike[:-1] | (part[1:] != part[:-1])
    starts = _filled(np.flatnonzero(changes) + 1, np.cumsum(counts), share / 4)
    below, above = distinct[starts - 1], distinct[starts]
    middle = below + (above - below) / 2
    return tuple(float(cut) for cut in np.where(middle > below, middle, above))


def code_cuts(categories: int) -> tuple[float, ...]:
    """Cuts that give each of the codes 0, 1, ... and, below them, the code of unknown text (-1) a bin of its own."""
    return tuple(code - 0.5 for code in range(categories))


def label_cuts(task: Task, classes: int, label: Numbers) -> tuple[float, ...]:
    """Cuts for the spread of a label: no and yes apart, each class by itself, or numbers by equal count."""
    if task is Task.NUMBER:
        return cut_points(label)
    return (0.5,) if task is Task.YES_NO else code_cuts(classes)


def score_spread(reference: Distribution) -> float:
    """How far estimates of a number lie apart: from the first cut to the last, about 90 % of them; 1 without two."""
    return (reference.cuts[-1] - reference.cuts[0] if reference.cuts else 0.0) or 1.0


def distribution(name: str, values: Numbers, cuts: Sequence[float]) -> Distribution:
    """How ``values`` [n] are spread over the bins between ``cuts``; NaN is missing."""
    missing = np.isnan(values)
    bins = np.searchsorted(np.asarray(cuts, dtype=np.float64), values[~missing], side="right")
    counts = np.bincount(bins, minlength=len(cuts) + 1)
    return Distribution(name, tuple(cuts), tuple(int(count) for count in counts), int(missing.sum()))


def score_ranks(spread: Distribution, task: Task = Task.YES_NO) -> tuple[Numbers, Numbers]:
    """The distribution function of a score, a line between two cuts: where it bends, its values there.

    A probability lies between 0 and 1; estimates of a number are taken to end as far beyond the last cut as two cuts
    lie apart on average.
    """
    counts = np.asarray(spread.counts, dtype=np.float64)
    below = np.cumsum(counts) / max(1.0, counts.sum())
    ends = (0.0, 1.0)
    if task is Task.NUMBER and spread.cuts:
        reach = (spread.cuts[-1] - spread.cuts[0]) / max(1, len(spread.cuts) - 1) or 1.0
        ends = (spread.cuts[0] - reach, spread.cuts[-1] + reach)
    return np.array([ends[0], *spread.cuts, ends[1]]), np.array([0.0, *below[:-1], 1.0])


def rows(spread: Distribution) -> int:
    """All rows of a distribution, the missing ones too."""
    return sum(spread.counts) + spread.missing


def missing_rate(spread: Distribution) -> float:
    """Share of the rows that have no value; 0 when there are no rows."""
    return spread.missing / max(1, rows(spread))


def psi(before: Distribution, now: Distribution) -> float:
    """Population stability index, sum of (q - p) ln(q / p) over the bins, missing values being one more bin.

    0 is no change; by custom 0.1 is a change and 0.2 a large one. Each side first gets half a row a bin, spread as both
    sides together are, so that an empty bin gives a finite number and a bin that is rare on both sides next to
    nothing; bins empty on both sides are left out. Raises InvalidInput when the cuts differ or a side has no rows.
    """
    first, second = _tables(before, now)
    pooled = (first + second) / (first.sum() + second.sum())
    extra = len(pooled) / 2
    p = (first + extra * pooled) / (first.sum() + extra)
    q = (second + extra * pooled) / (second.sum() + extra)
    return float(((q - p) * np.log(q / p)).sum())


def shift_p_value(before: Distribution, now: Distribution) -> float:
    """Chance of a difference at least this large when nothing changed: the two-sample chi-square test on the bins.

    Missing values are one more bin; bins where fewer than five rows are to be expected are judged together. Raises
    InvalidInput when the cuts differ or a side has no rows.
    """
    first, second = _dense(*_tables(before, now))
    if len(first) < 2:
        return 1.0
    total, pooled = first.sum() + second.sum(), first + second
    statistic = 0.0
    for side in (first, second):
        expected = pooled * side.sum() / total
        statistic += float((np.square(side - expected) / expected).sum())
    return chi_square_tail(statistic, len(first) - 1)


def holm(p_values: Sequence[float], alpha: float) -> tuple[bool, ...]:
    """Which of several hypotheses to reject so that the chance of one false rejection is at most alpha (Holm 1979)."""
    rejected = [False] * len(p_values)
    for rank, position in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        if p_values[position] > alpha / (len(p_values) - rank):
            break
        rejected[position] = True
    return tuple(rejected)


def _filled(starts: NDArray[np.intp], cumulated: NDArray[np.int64], least: float) -> NDArray[np.intp]:
    """The bin starts that leave at least ``least`` rows in every bin, dropping those that do not."""
    kept: list[int] = []
    before = 0
    for start in starts:
        if cumulated[start - 1] - before >= least:
            kept.append(int(start))
            before = int(cumulated[start - 1])
    if kept and cumulated[-1] - before < least:
        kept.pop()
    return np.asarray(kept, dtype=np.intp)


def _tables(before: Distribution, now: Distribution) -> tuple[Numbers, Numbers]:
    """Both counts over the bins that either side uses, missing values last."""
    if before.cuts != now.cuts:
        raise InvalidInput("drift_undefined", f"the distributions of {before.name} have different cut points")
    first, second = (np.array([*side.counts, side.missing], dtype=np.float64) for side in (before, now))
    if not (first.any() and second.any()):
        raise InvalidInput("drift_undefined", f"a distribution of {before.name} has no rows")
    used = first + second > 0
    return first[used], second[used]


def _dense(first: Numbers, second: Numbers) -> tuple[Numbers, Numbers]:
    """The same rows, sparse bins as one; where even that is sparse, it joins the smallest other bin."""
    expected = (first + second) * min(first.sum(), second.sum()) / (first.sum() + second.sum())
    sparse = expected < _SPARSE
    if not sparse.any():
        return first, second
    merged = [np.append(side[~sparse], side[sparse].sum()) for side in (first, second)]
    if expected[sparse].sum() < _SPARSE and (~sparse).any():
        smallest = int(expected[~sparse].argmin())
        for side in merged:
            side[smallest] += side[-1]
        merged = [side[:-1] for side in merged]
    return merged[0], merged[1]


def chi_square_tail(statistic: float, degrees: int) -> float:
    """Chance that a chi-square variable of that many degrees of freedom is larger.

    The closed forms for whole and half degrees (Abramowitz & Stegun 1964, 26.4.4 and 26.4.5), terms in logarithms so
    that none overflows.
    """
    half = statistic / 2
    if half <= 0:
        return 1.0
    offset = 0.5 if degrees % 2 else 0.0
    tail = math.erfc(math.sqrt(half)) if degrees % 2 else 0.0
    terms = range(1 if degrees % 2 else 0, (degrees + 1) // 2)
    powers = (index - offset for index in terms)
    return min(1.0, tail + math.fsum(math.exp(-half + p * math.log(half) - math.lgamma(p + 1)) for p in powers))
