"""The rows between two commits: predictions, bad rows, and the cursor behind them."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pyarrow as pa

from drivetrain.core.digest import SHORT, digest_of
from drivetrain.core.schema import Schema
from drivetrain.deliver.lanes import Numbers
from drivetrain.deliver.outputs import Cursor
from drivetrain.deliver.rows import NO_SCORE, BadRow, Packed
from drivetrain.store.quarantine import SCHEMA
from drivetrain.store.tables import arrow_schema


class Step:
    """Begins at a cursor; ``cursor`` moves with the rows that are added."""

    def __init__(self, cursor: Cursor, threshold: float) -> None:
        self.cursor = cursor
        self._start = cursor.rows
        self._since = time.monotonic()
        self._threshold = threshold
        self._good: list[pa.Table] = []
        self._bad: list[dict[str, object]] = []

    @property
    def rows(self) -> int:
        """How many rows wait for their commit."""
        return self.cursor.rows - self._start

    @property
    def seconds(self) -> float:
        """For how long."""
        return time.monotonic() - self._since

    def add(self, part: int, name: str, packed: Packed, scores: Numbers) -> None:
        """Rows of part number ``part``, with their scores [n]; one that has none (NaN) is a bad row."""
        known = np.isfinite(scores)
        carried, bad = packed.kept, packed.bad
        if not known.all():
            numbers = carried.column("row")
            unscored = np.flatnonzero(~known).tolist()
            bad += tuple(BadRow(numbers[at].as_py(), packed.raw(at), (NO_SCORE,)) for at in unscored)
            carried, scores = carried.filter(pa.array(known)), scores[known]
        self._good.append(self._predictions(carried, scores, name))
        self._bad += [
            {"load": self._load, "portion": name, "row": row.number, "raw": row.raw, "reasons": row.reasons}
            for row in sorted(bad, key=lambda row: row.number)
        ]
        self.cursor = replace(
            self.cursor,
            part=part, row=packed.last, scored=self.cursor.scored + len(scores), bad=self.cursor.bad + len(bad),
        )  # fmt: skip

    def good(self) -> pa.Table:
        """The predictions: what is carried along, then score, decision, release, file, row."""
        return pa.concat_tables([self._schema.empty_table(), *self._good])

    def bad(self) -> pa.Table:
        """The bad rows, in the columns of ``store.quarantine``."""
        return pa.Table.from_pylist(self._bad, schema=SCHEMA)

    def _predictions(self, carried: pa.Table, scores: Numbers, name: str) -> pa.Table:
        columns = {
            **{column: carried.column(column) for column in carried.column_names if column != "row"},
            "score": pa.array(scores),
            "decision": pa.array(scores >= self._threshold),
            "release": pa.repeat(self.cursor.release, len(scores)),
            "file": pa.repeat(name, len(scores)),
            "row": carried.column("row"),
        }
        return pa.table(columns, schema=self._schema)

    @property
    def _schema(self) -> pa.Schema:
        schema = arrow_schema(Schema(self.cursor.kept))
        for name, kind in _PREDICTION.items():
            schema = schema.append(pa.field(name, kind))
        return schema

    @property
    def _load(self) -> str:
        """Which job found a row bad."""
        return digest_of(self.cursor.release, self.cursor.inputs)[:SHORT]


_PREDICTION = {
    "score": pa.float64(), "decision": pa.bool_(), "release": pa.string(), "file": pa.string(), "row": pa.int64(),
}  # fmt: skip
