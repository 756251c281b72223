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
from drivetrain.ops.saying import Said, Saying
from drivetrain.store.journal import output_column
from drivetrain.store.quarantine import SCHEMA
from drivetrain.store.tables import arrow_schema, arrow_type


class Step:
    """Begins at a cursor; ``cursor`` moves with the rows that are added."""

    def __init__(self, cursor: Cursor, saying: Saying) -> None:
        self.cursor = cursor
        self._start = cursor.rows
        self._since = time.monotonic()
        self._saying = saying
        self._outputs = saying.signature.outputs
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

    def add(self, part: int, name: str, packed: Packed, answers: Numbers) -> None:
        """Rows of part number ``part``, with what the model answers, [n] or [n, K]; one without (NaN) is a bad row."""
        said = self._saying.say(answers, packed.rows)
        known = np.isfinite(said.score)
        carried, bad = packed.kept, packed.bad
        if not known.all():
            numbers = carried.column("row")
            unscored = np.flatnonzero(~known).tolist()
            bad += tuple(BadRow(numbers[at].as_py(), packed.raw(at), (NO_SCORE,)) for at in unscored)
            carried, said = carried.filter(pa.array(known)), said.part(known)
        self._good.append(self._predictions(carried, said, name))
        self._bad += [
            {"load": self._load, "portion": name, "row": row.number, "raw": row.raw, "reasons": row.reasons}
            for row in sorted(bad, key=lambda row: row.number)
        ]
        self.cursor = replace(
            self.cursor,
            part=part, row=packed.last, scored=self.cursor.scored + len(said), bad=self.cursor.bad + len(bad),
        )  # fmt: skip

    def good(self) -> pa.Table:
        """The predictions: what is carried along, then score, decision, outputs, release, file, row."""
        return pa.concat_tables([self._schema.empty_table(), *self._good])

    def bad(self) -> pa.Table:
        """The bad rows, in the columns of ``store.quarantine``."""
        return pa.Table.from_pylist(self._bad, schema=SCHEMA)

    def _predictions(self, carried: pa.Table, said: Said, name: str) -> pa.Table:
        columns = {
            **{column: carried.column(column) for column in carried.column_names if column != "row"},
            "score": pa.array(said.score),
            "decision": pa.array(said.decision),
            **{field.name: output_column(field, said.outputs[:, at]) for at, field in enumerate(self._outputs)},
            "release": pa.repeat(self.cursor.release, len(said)),
            "file": pa.repeat(name, len(said)),
            "row": carried.column("row"),
        }
        return pa.table(columns, schema=self._schema)

    @property
    def _schema(self) -> pa.Schema:
        outputs = [pa.field(field.name, arrow_type(field.type)) for field in self._outputs]
        return pa.schema([*arrow_schema(Schema(self.cursor.kept)), *_SAID, *outputs, *_FROM])

    @property
    def _load(self) -> str:
        """Which job found a row bad."""
        return digest_of(self.cursor.release, self.cursor.inputs)[:SHORT]


_SAID = (pa.field("score", pa.float64()), pa.field("decision", pa.bool_()))
_FROM = (pa.field("release", pa.string()), pa.field("file", pa.string()), pa.field("row", pa.int64()))
