"""Predictions that raise or clear an alarm, among all of one machine: an outlet with ``alarm`` sends those alone."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa

from drivetrain.core.alarms import AlarmWatch
from drivetrain.core.entities import EntityPages
from drivetrain.ops.alarms import changed, standing
from drivetrain.store.casting import literal, quoted
from drivetrain.store.journal import NUMBER

TOLD = "told"
"""The table that ``told`` makes: NUMBER and what the prediction with that number tells."""
LOOKED_AT = 100_000
"""Predictions before a delivery that nearly always tell how things stood; where they do not, all are looked at."""


def whose_sql(pages: EntityPages | None, inputs: Collection[str]) -> str:
    """SQL of the entity of a prediction with these ``inputs``, as the pages of entities have it."""
    whose = "entity"
    if pages is None:
        return whose
    if pages.by:
        path = '$."' + pages.by.replace('"', '\\"') + '"'
        inside = pages.by in inputs
        whose = f"inputs.{quoted(pages.by)}" if inside else f"json_extract_string(event, {literal(path)})"
    return f"split_part(CAST({whose} AS VARCHAR), {literal(pages.until)}, 1)" if pages.until else whose


def seen_sql(watch: AlarmWatch, start: int, low: int, high: int) -> str:
    """SQL of the rows that ``told`` takes: those after ``start`` of whoever has one after ``low``, up to ``high``."""
    return f"""
        WITH seen AS (
            SELECT {NUMBER}, CAST(({watch.by}
            ) AS VARCHAR) AS whose, coalesce(decision, false) AS flag
            FROM prediction WHERE {NUMBER} > {start} AND {NUMBER} <= {high}
        ), due AS (SELECT DISTINCT whose FROM seen WHERE {NUMBER} > {low})
        SELECT {NUMBER}, dense_rank() OVER (ORDER BY whose) AS run, flag FROM seen
        WHERE EXISTS (FROM due WHERE due.whose IS NOT DISTINCT FROM seen.whose) ORDER BY run, {NUMBER}
    """


def told(seen: pa.Table, watch: AlarmWatch, low: int, *, whole: bool) -> pa.Table | None:
    """What the predictions after ``low`` tell: NUMBER, ``alarm`` (raised, cleared); None where ``seen`` is too little.

    ``whole``: there are none before those seen.
    """
    number, run, flag = (seen.column(name).to_numpy() for name in (NUMBER, "run", "flag"))
    stands = standing(run, flag, watch.flags, watch.of, whole=whole)
    due = np.asarray(number > low)
    known_before = np.isin(run[due], run[~due & (stands >= 0)])
    if not (whole or known_before.all()):
        return None
    tells = due & changed(run, stands)
    alarm = np.where(stands[tells] == 1, "raised", "cleared").tolist()
    return pa.table({NUMBER: pa.array(number[tells], pa.int64()), "alarm": pa.array(alarm, pa.string())})
