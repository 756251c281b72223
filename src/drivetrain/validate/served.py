"""The path of a served row: the bytes of a request, typed values, one packed row, the model's score."""

from __future__ import annotations

from types import GenericAlias

import msgspec
import numpy as np
import pyarrow as pa
from msgspec.structs import astuple
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import Signature
from drivetrain.ops.rows import RowPacker, row_type
from drivetrain.ops.text import NO_ENCODERS, Encoders
from drivetrain.store.models import ModelScorer


class ServedPath:
    """From JSON rows to scores, by the code that the server reads rows with."""

    def __init__(self, signature: Signature, scorer: ModelScorer, encoders: Encoders = NO_ENCODERS) -> None:
        self._width = len(signature.inputs)
        self._decode = msgspec.json.Decoder(GenericAlias(list, (row_type(signature),))).decode
        self._pack = RowPacker(signature, encoders).pack
        self._score = scorer.score

    def pack(self, body: bytes) -> NDArray[np.float64]:
        """The packed rows [n, F] of a JSON array of rows; raises InvalidInput when a server would refuse it."""
        try:
            rows = self._decode(body)
        except msgspec.DecodeError as error:
            raise InvalidInput("row_refused", f"a server would refuse a test row: {error}") from error
        return np.frombuffer(b"".join([self._pack(astuple(row)) for row in rows])).reshape(-1, self._width)

    def score(self, body: bytes) -> NDArray[np.float64]:
        """The scores [n] of a JSON array of rows."""
        return self._score(self.pack(body))


def json_rows(table: pa.Table) -> list[bytes]:
    """Each row of a table as a JSON object, as a client writes it: dates and times in ISO 8601."""
    return [msgspec.json.encode(row) for row in table.to_pylist()]


def json_array(rows: list[bytes]) -> bytes:
    """JSON values as one JSON array."""
    return b"[" + b",".join(rows) + b"]"
