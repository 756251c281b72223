"""Each input, and what is said of it: how the newest predictions differ from what the model learned from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.artifacts import ColumnDrift
from drivetrain.core.model import CLASS, RULE, UNKNOWN, Distribution, InputField, Reference, Signature
from drivetrain.core.project import MonitorSpec
from drivetrain.core.schema import ColumnType
from drivetrain.monitor.traffic import Traffic
from drivetrain.ops.drift import distribution, holm, missing_rate, psi, shift_p_value

SCORE = "score"
_WATCHED = (CLASS, RULE)


@dataclass(frozen=True)
class Comparison:
    """One column: the verdict on it, its spread in training and now, and how much of it training never saw.

    ``unseen`` is the share of rows, 0 to 1, outside the range or the categories of the training data. ``said`` is
    whether the column is no input but what is said: the score, the class, the rule.
    """

    drift: ColumnDrift
    before: Distribution
    now: Distribution
    unseen: float
    said: bool = False

    @property
    def name(self) -> str:
        """The column's name; those of outputs, and ``score``, for what is said."""
        return self.drift.name


def compare_columns(
    spec: MonitorSpec, signature: Signature, reference: Reference, window: Traffic
) -> tuple[Comparison, ...]:
    """Every input in signature order, then the score, then class and rule where there are; nothing without rows.

    A column is an alarm when its change is large (PSI above ``max_psi``) and not chance (its p-value, after Holm's
    correction for all columns, is under ``alpha``), only if there are ``min_rows`` rows, and never one to ``ignore``.
    """
    if len(window) == 0:
        return ()
    befores, nows = spreads(reference), spread_now(reference, window)
    p_values = [shift_p_value(before, now) for before, now in zip(befores, nows, strict=True)]
    sure = holm(p_values, spec.alpha)
    unseen = [_unseen(field, column) for field, column in zip(signature.inputs, window.inputs.T, strict=True)]
    found = []
    for position, (before, now) in enumerate(zip(befores, nows, strict=True)):
        moved = psi(before, now)
        watched = len(window) >= spec.min_rows and before.name not in spec.ignore
        alarm = watched and sure[position] and moved > spec.max_psi
        drift = ColumnDrift(before.name, moved, p_values[position], missing_rate(before), missing_rate(now), alarm)
        said = position >= len(unseen)
        found.append(Comparison(drift, before, now, 0.0 if said else unseen[position], said))
    return tuple(found)


def spreads(reference: Reference) -> tuple[Distribution, ...]:
    """The columns that are watched, as they were in training; the ends of intervals are not: they follow the score."""
    texts = (spread for spread in reference.outputs if spread.name in _WATCHED)
    return (*reference.inputs, replace(reference.score, name=SCORE), *texts)


def spread_now(reference: Reference, traffic: Traffic) -> tuple[Distribution, ...]:
    """The same columns as they are in that traffic."""
    outputs = zip((spread.name for spread in reference.outputs), traffic.outputs.T, strict=False)  # made by hand: none
    watched = (column for name, column in outputs if name in _WATCHED)
    values = (*traffic.inputs.T, traffic.score, *watched)
    return tuple(
        distribution(before.name, column, before.cuts)
        for before, column in zip(spreads(reference), values, strict=True)
    )


def _unseen(field: InputField, values: NDArray[np.float64]) -> float:
    if field.type is ColumnType.TEXT:
        return float((values == UNKNOWN).mean())
    below = values < field.low if field.low is not None else np.zeros(len(values), dtype=np.bool_)
    above = values > field.high if field.high is not None else np.zeros(len(values), dtype=np.bool_)
    return float((below | above).mean())
