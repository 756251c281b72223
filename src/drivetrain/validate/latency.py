"""The gate of latency: how long one row takes in this process, from the bytes of a request to the score."""

from __future__ import annotations

import math
import time

import numpy as np

from drivetrain.core.artifacts import Estimate, GateResult
from drivetrain.ops.metrics import Numbers
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, asked
from drivetrain.validate.served import ServedPath, json_array, json_rows

_PASSES = 20
_CALLS = 250
_LONG_S = 10.0
"""No further pass begins after this time: a slow model shows what it is in fewer."""


def latency(evidence: Evidence) -> Finding:
    """The 99th percentile of the time from JSON to score for one row, in milliseconds, on this machine.

    Measured in passes, of which the quickest counts: the slower ones tell of the machine's other work.
    """
    most = asked(evidence.spec.latency).p99_ms
    path = ServedPath(evidence.content.signature, evidence.scorer, evidence.encoders)
    bodies = [json_array([row]) for row in json_rows(evidence.test.inputs.slice(0, _CALLS))]
    passes, begun = [_timed(path, bodies)], time.perf_counter()
    while len(passes) < _PASSES and time.perf_counter() - begun < _LONG_S:
        passes.append(_timed(path, bodies))
    taken = min(passes, key=lambda times: float(np.percentile(times, 99)))
    measured = _p99(taken)
    middle = float(np.median(taken))
    result = GateResult(
        gate="latency",
        verdict="pass" if measured.value <= most else "fail",
        measured=measured,
        threshold=f"at most {most:g} ms",
        detail=f"p50 {middle:.3f} ms, p99 {measured.value:.3f} ms a row, JSON to score, in process, on this machine",
        timed=True,
    )
    return Finding((result,))


def _timed(path: ServedPath, bodies: list[bytes]) -> Numbers:
    """Milliseconds for each body."""
    taken = np.empty(len(bodies))
    for number, body in enumerate(bodies):
        start = time.perf_counter_ns()
        path.score(body)
        taken[number] = (time.perf_counter_ns() - start) / 1e6
    return taken


def _p99(taken: Numbers) -> Estimate:
    """The 99th percentile and the interval between the order statistics around it (binomial, Conover 1999, 3.2)."""
    reach = 1.96 * math.sqrt(0.99 * 0.01 / len(taken))
    low, value, high = np.quantile(taken, [max(0.0, 0.99 - reach), 0.99, min(1.0, 0.99 + reach)])
    return Estimate("p99 ms", float(value), float(low), float(high), len(taken))
