"""The events of a source as windows take them: what a server starts with, and what the gate of parity replays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from drivetrain.core.artifacts import Dataset
from drivetrain.core.windows import Event, Value, WindowPlan
from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Table

_CHUNK = 50_000
_MICROS = pa.timestamp("us", tz="UTC")


def newest_events(catalog: Catalog, plan: WindowPlan) -> Iterator[Event]:
    """The events of the newest version of the source that any window can still reach, oldest first; none without one.

    A column that the source no longer has is unknown in all of them.
    """
    if catalog.latest(Dataset, plan.source) is None:
        return iter(())
    dataset = Table(catalog.table_path("datasets", plan.source)).dataset()
    newest = max((pc.max(batch.column(0)).as_py() for batch in _moments(dataset, plan)), default=None)
    if newest is None:
        return iter(())
    oldest = pa.scalar(newest - timedelta(microseconds=plan.kept_micros), dataset.schema.field(plan.time).type)
    return events(dataset.filter(ds.field(plan.time) >= oldest), plan)


def events(dataset: ds.Dataset, plan: WindowPlan) -> Iterator[Event]:
    """All events of a version of the source, in the order of their moments."""
    wanted = [plan.entity, plan.time, *(c.name for c in plan.columns if c.name in dataset.schema.names)]
    rows = dataset.to_table(columns=list(dict.fromkeys(wanted))).sort_by(plan.time)
    for batch in rows.to_batches(max_chunksize=_CHUNK):
        names = batch.column(plan.entity).cast(pa.string()).to_pylist()
        moments = batch.column(plan.time).cast(_MICROS).cast(pa.int64()).to_pylist()
        columns = [
            _values(batch.column(column.name)) if column.name in rows.column_names else [None] * batch.num_rows
            for column in plan.columns
        ]
        for name, at, *values in zip(names, moments, *columns, strict=True):
            yield Event(name, at, tuple(values))


def _values(column: pa.Array) -> list[Value]:
    """A column as windows take it: text as it is, all else as numbers, days and moments in seconds."""
    if pa.types.is_date(column.type):
        column = pc.multiply(column.cast(pa.date32()).cast(pa.int32()).cast(pa.float64()), 86400.0)
    elif pa.types.is_timestamp(column.type):
        column = pc.divide(column.cast(_MICROS).cast(pa.int64()).cast(pa.float64()), 1e6)
    elif not pa.types.is_string(column.type):
        column = column.cast(pa.float64())
    return list(column.to_pylist())


def _moments(dataset: ds.Dataset, plan: WindowPlan) -> Iterator[pa.RecordBatch]:
    return (batch for batch in dataset.to_batches(columns=[plan.time]) if batch.num_rows)
