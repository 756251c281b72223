"""Predictions that raise or clear an alarm, among all of one machine: an outlet with ``alarm`` sends those alone."""

from __future__ import annotations

from drivetrain.core.alarms import AlarmWatch
from drivetrain.store.journal import NUMBER

TOLD = "told"
"""The table that ``told_sql`` makes: NUMBER and what the prediction with that number tells."""


def told_sql(watch: AlarmWatch, low: int, high: int) -> str:
    """SQL that makes TOLD from the view ``prediction``: those with the numbers after ``low`` up to ``high``.

    An alarm is raised when ``flags`` of the last ``of`` predictions of whoever ``by`` names are decided true, and
    cleared when none of them is; between the two nothing changes, so that one reading more or less tells nothing.
    """
    return f"""
        CREATE OR REPLACE TEMP TABLE {TOLD} AS
        WITH seen AS (
            SELECT {NUMBER}, ({watch.by}
            ) AS whose, decision FROM prediction WHERE {NUMBER} > {low - watch.looks_back} AND {NUMBER} <= {high}
        ), counted AS (
            SELECT {NUMBER}, whose, count(*) FILTER (decision) OVER (
                PARTITION BY whose ORDER BY {NUMBER} ROWS {watch.of - 1} PRECEDING
            ) AS flags FROM seen
        ), known AS (
            SELECT {NUMBER}, whose, coalesce(last_value(
                CASE WHEN flags >= {watch.flags} THEN true WHEN flags = 0 THEN false END IGNORE NULLS
            ) OVER (PARTITION BY whose ORDER BY {NUMBER} ROWS UNBOUNDED PRECEDING), false) AS raised FROM counted
        ), before AS (
            SELECT {NUMBER}, raised, lag(raised, 1, false) OVER (PARTITION BY whose ORDER BY {NUMBER}) AS was FROM known
        )
        SELECT {NUMBER}, CASE WHEN raised THEN 'raised' ELSE 'cleared' END AS alarm
        FROM before WHERE {NUMBER} > {low} AND raised <> was
    """
