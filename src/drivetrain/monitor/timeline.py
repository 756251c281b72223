"""The whole period in stretches of equal count, so that a page shows when a change began."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from drivetrain.core.model import Reference
from drivetrain.core.project import MonitorSpec
from drivetrain.monitor.traffic import Traffic
from drivetrain.ops.drift import distribution, psi

_STRETCHES = 20


@dataclass(frozen=True)
class Stretch:
    """Some predictions in a row: from when until when (ISO 8601, UTC), and what they were like.

    ``psi`` has one number for each input in signature order, then one for the score. ``label_rate`` is None where no
    label has arrived.
    """

    start: str
    end: str
    rows: int
    mean_score: float
    flagged: float
    psi: tuple[float, ...]
    labelled: int
    label_rate: float | None


def make_timeline(spec: MonitorSpec, reference: Reference, traffic: Traffic) -> tuple[Stretch, ...]:
    """At most twenty stretches of at least ``min_rows`` predictions; none when there are not enough for two."""
    count = min(_STRETCHES, len(traffic) // spec.min_rows)
    if count < 2:
        return ()
    edges = np.linspace(0, len(traffic), count + 1).astype(int)
    return tuple(_stretch(reference, traffic.part(slice(start, end))) for start, end in pairwise(edges))


def _stretch(reference: Reference, traffic: Traffic) -> Stretch:
    columns = zip((*reference.inputs, reference.score), (*traffic.inputs.T, traffic.score), strict=True)
    labels = traffic.labelled().label
    return Stretch(
        start=moment(traffic.at[0]),
        end=moment(traffic.at[-1]),
        rows=len(traffic),
        mean_score=float(traffic.score.mean()),
        flagged=float(traffic.decision.mean()),
        psi=tuple(psi(before, distribution(before.name, values, before.cuts)) for before, values in columns),
        labelled=len(labels),
        label_rate=float(labels.mean()) if len(labels) else None,
    )


def moment(at: np.datetime64) -> str:
    """A time in UTC as ISO 8601, to the millisecond."""
    return f"{np.datetime_as_string(at, unit='ms')}Z"
