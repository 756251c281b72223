"""What the loads so far let expect of a source, held against what came, or did not come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from drivetrain.core.artifacts import Dataset
from drivetrain.core.changes import SourceChange
from drivetrain.core.contract import Pace
from drivetrain.core.loads import SourceAlarm
from drivetrain.ops.rhythm import Moment, due, expected_rows
from drivetrain.store.catalog import Catalog

_REMEMBERED = 64  # loads: nine weeks of daily ones
_DAY = timedelta(days=1)


def past_loads(catalog: Catalog, name: str) -> tuple[Moment, ...]:
    """The newest loads that brought rows to a source's dataset, oldest first."""
    found = {one.load.at: one.load.rows for one in catalog.newest(Dataset, name, _REMEMBERED) if one.load.rows}
    return tuple(Moment(datetime.fromisoformat(at), rows) for at, rows in sorted(found.items()))


def unusual_volume(rows: int, at: datetime, past: Sequence[Moment]) -> tuple[SourceChange, ...]:
    """The change of a load whose number of rows is not what history lets expect."""
    wanted = expected_rows(past, at) if rows else None
    if wanted is None or wanted.holds(rows):
        return ()
    text = f"the load brings {rows:,} rows; the loads before let expect {wanted.low:,.0f} to {wanted.high:,.0f}"
    return (SourceChange("volume", "", new=f"{rows} rows", note=text),)


def due_at(pace: Pace, past: Sequence[Moment]) -> datetime | None:
    """Until when new rows are expected, by the contract or else by history; None where neither says."""
    if pace.max_gap_hours is not None:
        return past[-1].at + timedelta(hours=pace.max_gap_hours) if past else None
    return due(past) if pace.history == "alarm" else None


def overdue(pace: Pace, past: Sequence[Moment], now: datetime) -> tuple[SourceAlarm, ...]:
    """The alarm of a source that stands still longer than expected."""
    until = due_at(pace, past)
    if until is None or now <= until:
        return ()
    said = "the contract" if pace.max_gap_hours is not None else "what came before"
    text = f"no new rows for {_shown(now - past[-1].at)}; by {said} some are due within {_shown(until - past[-1].at)}"
    return (SourceAlarm("pace", text),)


def _shown(span: timedelta) -> str:
    """A time span as a person says it."""
    for unit, size in (("days", _DAY), ("hours", _DAY / 24), ("minutes", _DAY / 1440)):
        if span >= 2 * size:
            return f"{span / size:.1f} {unit}"
    return f"{span.total_seconds():.0f} seconds"
