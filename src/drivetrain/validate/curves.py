"""What several tables and charts of the report draw: a curve with few points, and what was promised and came true."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drivetrain.ops.calibration import reliability
from drivetrain.ops.intervals import wilson
from drivetrain.ops.metrics import Curve, Numbers
from drivetrain.store.pages import Chart, Line
from drivetrain.validate.evidence import Evidence

_POINTS = 200


def promised_chart(evidence: Evidence) -> Chart:
    """How often what was promised came true, by the size of the promise."""
    bins = reliability(evidence.came_true, evidence.score)
    rates = [wilson("rate", round(part.rate * part.rows), part.rows) for part in bins]
    line = Line(
        "model",
        [part.mean_score for part in bins],
        [part.rate for part in bins],
        [rate.low for rate in rates],
        [rate.high for rate in rates],
        mode="markers",
    )
    note = "Each point is a tenth of the cases; on the diagonal, what was promised came true."
    return Chart("Calibration", (line,), "mean score", "share that came true", note, diagonal=True)


def drawn(name: str, curve: Curve) -> Line:
    """The curve as a line."""
    keep = even_points(curve.x, curve.y)
    return Line(name, curve.x[keep].tolist(), curve.y[keep].tolist())


def even_points(x: Numbers, y: Numbers, points: int = _POINTS) -> NDArray[np.intp]:
    """The places of at most ``points`` points that lie evenly along a drawn curve, both ends among them."""
    steps = np.hypot(np.diff(x) / (np.ptp(x) or 1), np.diff(y) / (np.ptp(y) or 1))
    length = np.append(0.0, np.cumsum(steps))
    places = np.searchsorted(length, np.linspace(0, length[-1], points - 1))
    return np.unique(np.append(places, len(x) - 1).clip(max=len(x) - 1))
