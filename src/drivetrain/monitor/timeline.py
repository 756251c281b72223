"""The whole period in stretches of equal count, so that a page shows when a change began."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from drivetrain.core.model import Reference
from drivetrain.core.project import MonitorSpec
from drivetrain.core.task import Task
from drivetrain.monitor.columns import spread_now, spreads
from drivetrain.monitor.traffic import Traffic
from drivetrain.ops.drift import psi

_STRETCHES = 20


@dataclass(frozen=True)
class Stretch:
    """Some predictions in a row: from when until when (ISO 8601, UTC), and what they were like.

    ``psi`` has one number for each column that is compared, in that order. ``came_true`` is what labels say to be held
    beside the mean score: the share of true ones, the share of rows whose class was right, the mean of the numbers;
    None where no label has arrived.
    """

    start: str
    end: str
    rows: int
    mean_score: float
    flagged: float
    psi: tuple[float, ...]
    labelled: int
    came_true: float | None


def make_timeline(spec: MonitorSpec, task: Task, reference: Reference, traffic: Traffic) -> tuple[Stretch, ...]:
    """At most twenty stretches of at least ``min_rows`` predictions; none when there are not enough for two."""
    count = min(_STRETCHES, len(traffic) // spec.min_rows)
    if count < 2:
        return ()
    edges = np.linspace(0, len(traffic), count + 1).astype(int)
    return tuple(_stretch(task, reference, traffic.part(slice(start, end))) for start, end in pairwise(edges))


def _stretch(task: Task, reference: Reference, traffic: Traffic) -> Stretch:
    columns = zip(spreads(reference), spread_now(reference, traffic), strict=True)
    labelled = traffic.labelled()
    true = labelled.label == labelled.outputs[:, 0] if task is Task.CLASSES else labelled.label
    return Stretch(
        start=moment(traffic.at[0]),
        end=moment(traffic.at[-1]),
        rows=len(traffic),
        mean_score=float(traffic.score.mean()),
        flagged=float(traffic.decision.mean()),
        psi=tuple(psi(before, now) for before, now in columns),
        labelled=len(labelled),
        came_true=float(true.mean()) if len(labelled) else None,
    )


def moment(at: np.datetime64) -> str:
    """A time in UTC as ISO 8601, to the millisecond."""
    return f"{np.datetime_as_string(at, unit='ms')}Z"
