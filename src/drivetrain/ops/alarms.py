"""Alarms of machines: when flags raise and clear one; how early they come, what they miss, and what they cost.

Rows are readings of runs, each run's rows together and in order: ``run`` int64 [n] says whose; ``left`` float64 [n]
is the time from the reading to the failure, infinity where the record ends before one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.metrics import Labels, Numbers

Runs = NDArray[np.int64]
Standing = NDArray[np.int8]


@dataclass(frozen=True)
class Prices:
    """What an inspection, a repair that was planned, and a failure that nobody saw coming cost."""

    inspection: float
    repair: float
    failure: float


@dataclass(frozen=True)
class AlarmTally:
    """What the alarms of some runs came to.

    An inspection follows each alarm that begins. It finds the fault when the failure is at least ``notice`` and at
    most ``horizon`` away; then the machine is repaired and the rest of its run is not looked at. ``leads`` are the
    times from those inspections to the failures that they spared.
    """

    failures: int
    inspections: int
    leads: tuple[float, ...]

    @property
    def caught(self) -> int:
        """Failures that were spared."""
        return len(self.leads)

    @property
    def false_alarms(self) -> int:
        """Inspections that found nothing."""
        return self.inspections - self.caught

    def cost(self, prices: Prices) -> float:
        """All inspections, the repairs that they led to, and the failures that came all the same."""
        missed = self.failures - self.caught
        return self.inspections * prices.inspection + self.caught * prices.repair + missed * prices.failure


def persistent(run: Runs, flag: Labels, k: int, n: int) -> Labels:
    """Whether at least ``k`` of the last ``n`` flags of the same run are up, [n]; one alone is often noise.

    Raises InvalidInput unless 1 <= k <= n.
    """
    if not 1 <= k <= n:
        raise InvalidInput("persistence_invalid", f"{k} of the last {n} flags can never be up", hint="1 <= k <= n")
    starts = _starts(run)
    total = np.concatenate([[0], np.cumsum(flag)])
    places = np.arange(len(run))
    first = np.maximum(places - n + 1, starts)
    return np.asarray(total[places + 1] - total[first] >= k)


def tally(run: Runs, left: Numbers, alarm: Labels, *, notice: float, horizon: float) -> AlarmTally:
    """What alarms [n] come to when each one that begins is inspected; see AlarmTally."""
    starts = _starts(run)
    before = np.concatenate([[False], alarm[:-1]]) & (starts != np.arange(len(run)))
    begins = alarm & ~before
    found = begins & (left >= notice) & (left <= horizon)
    codes = np.unique(run, return_inverse=True)[1]
    spared = np.full(codes.max(initial=-1) + 1, len(run))
    places = np.flatnonzero(found)
    np.minimum.at(spared, codes[places], places)
    inspected = begins & (np.arange(len(run)) <= spared[codes])
    leads = left[spared[spared < len(run)]]
    failures = len(np.unique(run[np.isfinite(left)]))
    return AlarmTally(failures, int(inspected.sum()), tuple(float(lead) for lead in leads))


@dataclass(frozen=True)
class AlarmRule:
    """When flags become an alarm, when an alarm is of use, and the prices."""

    prices: Prices
    notice: float
    horizon: float
    k: int = 1
    n: int = 1

    def tally(self, run: Runs, left: Numbers, flag: Labels) -> AlarmTally:
        """What flags [n] come to under this rule."""
        return tally(run, left, persistent(run, flag, self.k, self.n), notice=self.notice, horizon=self.horizon)


def standing(run: Runs, flag: Labels, k: int, n: int, *, whole: bool) -> Standing:
    """Whether an alarm stands after each row [n]: 1 when it does, 0 when not, -1 where these rows do not tell.

    It is raised when at least ``k`` of the last ``n`` flags of the run are up and cleared when none is; between the two
    nothing changes. ``whole``: there was nothing before the first row of a run, so that all is known.
    Raises InvalidInput as ``persistent``.
    """
    starts, places = _starts(run), np.arange(len(run))
    quiet = ~persistent(run, flag, 1, n)
    if not whole:
        quiet &= places - starts >= n - 1
    known = np.where(persistent(run, flag, k, n), 1, np.where(quiet, 0, -1)).astype(np.int8)
    newest = np.maximum.accumulate(np.where(known >= 0, places, starts))
    found = known[newest]
    return np.maximum(found, 0) if whole else found


def changed(run: Runs, standing: Standing) -> Labels:
    """Where an alarm is raised or cleared, [n]: it stands as it did not after the row before; none does at first."""
    before = np.where(_starts(run) == np.arange(len(run)), 0, np.roll(standing, 1))
    return np.asarray(standing != before)


def _starts(run: Runs) -> NDArray[np.intp]:
    """The place where each row's run begins, [n]."""
    places = np.arange(len(run))
    first = np.concatenate([[True], run[1:] != run[:-1]])[: len(run)]
    return np.maximum.accumulate(np.where(first, places, 0))
