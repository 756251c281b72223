"""Live traffic: held-back rows, or those that a project's own SQL makes of its sources, sent to a running service."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from drivetrain.client import Client, Label, Prediction
from drivetrain.core.artifacts import Features
from drivetrain.core.errors import InvalidInput
from drivetrain.core.events import Progress, silent
from drivetrain.store.cases import Cases, read_cases
from drivetrain.store.catalog import Catalog
from drivetrain.store.labels import truth_of
from drivetrain.store.tables import Table

_FIRST_ROWS, _MOST_ROWS, _REQUEST_SECONDS = 16, 1_000, 0.5


def predicted(client: Client, inputs: pa.Table, progress: Progress = silent) -> tuple[Prediction, ...]:
    """The predictions for every row, in their order; a request has as many rows as are answered in half a second.

    Raises what the client raises.
    """
    made: list[Prediction] = []
    size = _FIRST_ROWS
    while len(made) < inputs.num_rows:
        began = time.perf_counter()
        made += client.predict(inputs.slice(len(made), size).to_pylist()).predictions
        size = max(1, min(_MOST_ROWS, 4 * size, int(size * _REQUEST_SECONDS / (time.perf_counter() - began))))
        progress(len(made), inputs.num_rows, f"{len(made):,} predictions")
    return tuple(made)


def labelled(client: Client, predictions: tuple[Prediction, ...], cases: Cases, progress: Progress = silent) -> None:
    """Tell the service how the cases behind its predictions came out. Raises what the client raises.

    A case whose class stood in no training row has no name to tell, and is left out; so is one without a label.
    """
    names = dict(enumerate(cases.classes))
    known = np.ones(len(cases), dtype=np.bool_) if cases.known is None else cases.known
    told = client.labels(
        Label(prediction.id, names.get(label, "") if names else label)
        for prediction, label, is_known in zip(predictions, cases.label.tolist(), known, strict=True)
        if is_known and (not names or label in names)
    )
    progress(told, len(predictions), "outcomes")


TRAFFIC = Path("demo", "traffic.sql")
"""In a project: the rows to send, in order: the columns that callers send, and the label."""


def cases_to_send(catalog: Catalog, sources: Iterable[str], features: Features) -> Cases:
    """The cases that ``demo/traffic.sql`` makes of the sources, if there is such a file; else the held-back ones."""
    sql = catalog.home / TRAFFIC
    if not sql.exists():
        return read_cases(catalog, features, "test")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for source in sources:
            connection.register(source, Table(catalog.table_path("datasets", source)).dataset())
        rows = answer(connection, sql)
    label = truth_of(features.task, features.classes, rows.column(features.label))
    return Cases(
        rows.column(features.entity), rows.drop_columns([features.label]), label, classes=features.classes
    )  # fmt: skip


def answer(connection: duckdb.DuckDBPyConnection, sql: Path) -> pa.Table:
    """The rows that a project's own SQL file gives. Raises InvalidInput with what DuckDB says."""
    try:
        return connection.execute(sql.read_text(encoding="utf-8")).to_arrow_table()
    except duckdb.Error as error:
        raise InvalidInput(
            "traffic_sql",
            str(error).strip().splitlines()[0],
            where=str(Path(sql.parent.name, sql.name)),
            hint="correct the file: its columns must be those of the project's inputs",
        ) from None


def drifted(inputs: pa.Table, sql: Path) -> pa.Table:
    """The rows as a changed world would send them: the SQL file reads them as ``traffic``."""
    with duckdb.connect() as connection:
        connection.register("traffic", inputs)
        changed = answer(connection, sql)
    return changed.select(inputs.column_names).cast(inputs.schema, safe=False)
