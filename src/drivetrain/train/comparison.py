"""Which of two candidates is better, from their scores on the same folds (higher is better)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import t

_SURE = 0.975
_ENOUGH = 3


def behind(mine: Sequence[float], leader: Sequence[float], least: float = 0.0) -> bool:
    """Whether a candidate that was judged on some folds so far will hardly catch up with the leader.

    From three folds on by a one-sided paired t-test at 2.5 %; before that, when it lies below the leader by more than
    ``least`` and by more than the leader's scores are spread over folds.
    """
    gaps = np.asarray(leader[: len(mine)]) - np.asarray(mine)
    if len(gaps) < _ENOUGH:
        return bool(gaps.mean() > max(least, float(np.std(leader, ddof=1))))
    return bool(gaps.mean() > t.ppf(_SURE, len(gaps) - 1) * np.std(gaps, ddof=1) / math.sqrt(len(gaps)))


def clearly_better(mine: Sequence[float], other: Sequence[float], held_share: float) -> bool:
    """Whether the mean gain over all folds exceeds its standard error, so that searching does not reward luck.

    The variance is corrected for folds that share their training rows (Nadeau & Bengio 2003); ``held_share`` is held
    rows / fitted rows of a fold.
    """
    gains = np.asarray(mine) - np.asarray(other)
    error = math.sqrt(float(np.var(gains, ddof=1)) * (1.0 / len(gains) + held_share))
    return bool(gains.mean() > error)
