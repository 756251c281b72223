"""Sliding windows kept up to date event by event: what DuckDB says of a whole table, said at the moment of each event.

What a window holds depends only on which events are known and on their moments, not on the order in which they came:
events of one moment never see each other (SQL: ``EXCLUDE TIES`` or ``EXCLUDE GROUP``). Adding an event again changes
nothing. Memory is bounded: what no window can reach any more is forgotten.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping

from drivetrain.core.errors import InvalidInput
from drivetrain.core.windows import Aggregate, Event, Value, Window, WindowPlan
from drivetrain.ops.expressions import evaluate

_SWEEP = 10_000
"""Idle keys are looked for when so many events, or as many as there were keys, came since the last look."""
_NEVER = -(2**62)
_ROW, _MOMENT = -1, -2
"""What a window aggregates when it is no column: the event itself, or its moment."""


class Series:
    """Moments in order, and a value at each: numbers, or the hashes of texts."""

    __slots__ = ("times", "values")

    def __init__(self, code: str) -> None:
        self.times = array("q")
        self.values: array[float] = array(code)

    def add(self, at: int, value: float) -> None:
        """Enter a value at its place; the usual place is the end."""
        if not self.times or at >= self.times[-1]:
            self.times.append(at)
            self.values.append(value)
        else:
            place = bisect_right(self.times, at)
            self.times.insert(place, at)
            self.values.insert(place, value)

    def forget(self, floor: int) -> None:
        """Let go of what lies before ``floor``, once it is half of everything: so it costs next to nothing."""
        middle = len(self.times) // 2
        if middle and self.times[middle] < floor:
            old = bisect_left(self.times, floor)
            del self.times[:old]
            del self.values[:old]


_EMPTY = Series("d")


class _Shelf:
    """The series of all keys that windows with the same key, value and condition read."""

    def __init__(self, plan: WindowPlan, window: Window) -> None:
        places = {column.name: place for place, column in enumerate(plan.columns)}
        self._key = [places[name] for name in window.key]
        self._value = places.get(window.value, _MOMENT if window.value == plan.time else _ROW)
        self._where = places[window.where] if window.where else -1
        self._hashed = window.aggregate == "distinct"
        self.series: dict[object, Series] = {}

    def key(self, event: Event) -> object:
        """The key of an event: of events without a value too, which are a group of their own, as in SQL."""
        return event.values[self._key[0]] if len(self._key) == 1 else tuple(event.values[at] for at in self._key)

    def value(self, event: Event) -> float | None:
        """What the event brings to its windows; None when it does not count."""
        if self._where >= 0 and not event.values[self._where]:
            return None
        if self._value < 0:
            return event.at / 1e6 if self._value == _MOMENT else 1.0
        value = event.values[self._value]
        return value if value is None or (isinstance(value, float) and not self._hashed) else hash(value)

    def add(self, event: Event, floor: int) -> None:
        value = self.value(event)
        if value is not None:
            key = self.key(event)
            series = self.series.get(key)
            if series is None:
                series = self.series[key] = Series("q" if self._hashed else "d")
            series.add(event.at, value)
            series.forget(floor)

    def past(self, event: Event) -> tuple[Series, int, float | None]:
        """The series of the event's key, how much of it lies before the event, and what the event itself brings."""
        series = self.series.get(self.key(event), _EMPTY)
        return series, bisect_left(series.times, event.at), self.value(event)

    def sweep(self, floor: int) -> None:
        for key in [key for key, series in self.series.items() if series.times[-1] < floor]:
            del self.series[key]


class WindowState:
    """All that a plan needs to know of the past. Not for use by several threads."""

    def __init__(self, plan: WindowPlan) -> None:
        self.plan = plan
        self.newest = _NEVER
        shelves: dict[tuple[object, ...], _Shelf] = {}
        kept = [(window.key, window.value, window.where, window.aggregate == "distinct") for window in plan.windows]
        for key, window in zip(kept, plan.windows, strict=True):
            shelves.setdefault(key, _Shelf(plan, window))
        self._shelves = list(shelves.values())
        self._windows = [(window, list(shelves).index(key)) for key, window in zip(kept, plan.windows, strict=True)]
        self._names: dict[object, Series] = {}
        self._key = _Shelf(plan, plan.windows[0]).key
        self._columns = [column.name for column in plan.columns]
        self._since_sweep, self._sweep_at = 0, _SWEEP

    @property
    def floor(self) -> int:
        """The moment before which nothing is kept."""
        return self.newest - self.plan.kept_micros

    def knows(self, event: Event) -> bool:
        """Whether this event (name, moment and key) was added before."""
        known = self._names.get(self._key(event))
        return (
            known is not None
            and hash(event.name)
            in known.values[bisect_left(known.times, event.at) : bisect_right(known.times, event.at)]
        )

    def add(self, event: Event) -> bool:
        """Take an event in, unless it is known or older than anything that is kept; whether it was taken in."""
        if event.at < self.floor or self.knows(event):
            return False
        self.newest = max(self.newest, event.at)
        floor = self.floor
        names = self._names.get(self._key(event))
        if names is None:
            names = self._names[self._key(event)] = Series("q")
        names.add(event.at, hash(event.name))
        names.forget(floor)
        for shelf in self._shelves:
            shelf.add(event, floor)
        self._sweep(floor)
        return True

    def check(self, event: Event, where: str) -> None:
        """Raise InvalidInput when an event comes so late that its windows are no longer kept whole."""
        if event.at < self.newest - self.plan.late_micros:
            late = (self.newest - event.at) / 3.6e9
            raise InvalidInput(
                "event_late",
                f"the event lies {late:,.1f} hours before the newest one; its windows are no longer kept",
                where=where,
                hint="send events in their order; `late_hours` of the online table says how late one may be",
            )

    def features(self, event: Event) -> list[Value]:
        """The features of an event, in the order of the plan, from the events that are known now."""
        past = [shelf.past(event) for shelf in self._shelves]
        windows = [_windowed(window, event.at, *past[shelf]) for window, shelf in self._windows]
        columns: dict[str, Value] = dict(zip(self._columns, event.values, strict=True))
        columns[self.plan.time] = event.at / 1e6
        return [evaluate(feature, columns, windows) for feature in self.plan.features]

    def __len__(self) -> int:
        """How many events are kept."""
        return sum(len(series.times) for series in self._names.values())

    def _sweep(self, floor: int) -> None:
        self._since_sweep += 1
        if self._since_sweep >= self._sweep_at:
            for shelf in self._shelves:
                shelf.sweep(floor)
            for key in [key for key, series in self._names.items() if series.times[-1] < floor]:
                del self._names[key]
            self._since_sweep, self._sweep_at = 0, max(_SWEEP, len(self._names))


def _windowed(window: Window, at: int, series: Series, end: int, own: float | None) -> float | None:
    start = bisect_left(series.times, at - window.micros)
    itself = window.itself and own is not None
    if window.aggregate == "count":
        return float(end - start + itself)
    values = series.values[start:end]
    if itself:
        values.append(own)  # type: ignore[arg-type]  # it is not None
    return _AGGREGATES[window.aggregate](values)


def _mean(values: array[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _deviation(values: array[float]) -> float | None:
    """Of a sample, in one pass (Welford 1962): equal values have none, to the last bit."""
    if len(values) < 2:
        return None
    mean = squares = 0.0
    for count, value in enumerate(values, 1):
        apart = value - mean
        mean += apart / count
        squares += apart * (value - mean)
    return math.sqrt(squares / (len(values) - 1))


_AGGREGATES: Mapping[Aggregate, Callable[[array[float]], float | None]] = {
    "distinct": lambda values: float(len(set(values))),
    "sum": lambda values: math.fsum(values) if values else None,
    "avg": _mean,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "stddev": _deviation,
}
