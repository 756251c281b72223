"""The path of a served row: the bytes of a request, typed columns, one packed row, the graph's score."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from drivetrain.core.model import Signature
from drivetrain.core.schema import ColumnType
from drivetrain.ops.packing import pack
from drivetrain.store.models import Scorer
from drivetrain.store.tables import arrow_type

_ROWS = msgspec.json.Decoder(list[dict[str, str | int | float | bool | None]])


@dataclass(frozen=True)
class ServedPath:
    """From JSON rows to scores, as a server takes them."""

    signature: Signature
    scorer: Scorer

    def pack(self, body: bytes) -> NDArray[np.float64]:
        """The packed rows [n, F] of a JSON array of objects; a field that is not given is missing."""
        rows = _ROWS.decode(body)
        columns = {
            field.name: _column([row.get(field.name) for row in rows], field.type) for field in self.signature.inputs
        }
        return pack(self.signature, pa.table(columns))

    def score(self, body: bytes) -> NDArray[np.float64]:
        """The scores [n] of a JSON array of objects."""
        return self.scorer.score(self.pack(body))


def json_rows(table: pa.Table) -> list[bytes]:
    """Each row of a table as a JSON object, as a client writes it: dates and times in ISO 8601."""
    return [msgspec.json.encode(row) for row in table.to_pylist()]


def json_array(rows: list[bytes]) -> bytes:
    """JSON values as one JSON array."""
    return b"[" + b",".join(rows) + b"]"


def _column(values: list[str | int | float | bool | None], kind: ColumnType) -> pa.Array:
    if kind in (ColumnType.DATE, ColumnType.TIMESTAMP):
        return pa.array(values, pa.string()).cast(arrow_type(kind))
    return pa.array(values, arrow_type(kind))
