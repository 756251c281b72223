"""What the model said at earlier origins, when it knew no more than that day, beside what came true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drivetrain.core.artifacts import Features
from drivetrain.core.forecast import ForecastSpec
from drivetrain.deliver.forecast.panel import numbers_of
from drivetrain.ops.metrics import Numbers


@dataclass(frozen=True, eq=False)
class Rolled:
    """At k origins, oldest first, of b series over h steps: ``truth`` and ``answer`` [k, b, h], ``scale`` [k, b].

    NaN where a series was not forecast at an origin.
    """

    origins: tuple[date, ...]
    truth: Numbers
    answer: Numbers
    scale: Numbers

    def units(self) -> tuple[Numbers, Numbers]:
        """Truth and answer in units; 0 where a series was not forecast."""
        scale = self.scale[:, :, None]
        return np.nan_to_num(self.truth * scale), np.nan_to_num(self.answer * scale)


def rolled_of(
    backtest: Numbers, train: pa.Table, features: Features, spec: ForecastSpec, series: Sequence[str]
) -> Rolled:
    """The back-test of a model ([m, 2], rows of its training part and answers) for these series."""
    rows = train.take(pa.array(backtest[:, 0].astype(np.int64)))
    assert features.time is not None
    day, made = (
        rows.column(name).cast(pa.date32()).to_numpy().astype("datetime64[D]") for name in (features.time, spec.origin)
    )
    origins, at = np.unique(made, return_inverse=True)
    steps, step = np.unique((day - made).astype(np.int64), return_inverse=True)
    place = pc.index_in(rows.column(features.entity).cast(pa.string()), pa.array(series, pa.string()))
    known = np.asarray(place.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    cell = at[known], place.drop_null().to_numpy(), step[known]
    truth, answer = (np.full((len(origins), len(series), len(steps)), np.nan) for _ in range(2))
    scale = np.zeros((len(origins), len(series)))
    truth[cell] = numbers_of(rows.column(features.label))[known]
    answer[cell] = backtest[known, 1]
    scale[cell[:2]] = 1.0 if spec.scale is None else numbers_of(rows.column(spec.scale))[known]
    return Rolled(tuple(origins.tolist()), truth, answer, scale)
