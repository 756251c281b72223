"""How each contestant takes rows and gives scores: its own natural format."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from drivetrain.ops.metrics import Numbers
from serving.model import COLUMNS

_JSON = "application/json"
_ARROW = "application/vnd.apache.arrow.stream"


@dataclass(frozen=True)
class Format:
    """``body`` makes a request of rows [n, 24], ``scores`` reads the n scores of an answer."""

    media_type: str
    body: Callable[[Numbers], bytes]
    scores: Callable[[bytes], list[float]]


def _named(rows: Numbers) -> list[dict[str, float | None]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in _plain(rows)]


def _plain(rows: Numbers) -> list[list[float | None]]:
    return [[None if math.isnan(value) else value for value in row] for row in rows.tolist()]


def _tensors(rows: Numbers) -> dict[str, object]:
    """The Open Inference Protocol, a tensor for each column."""
    columns = zip(COLUMNS, zip(*_plain(rows), strict=True), strict=True)
    inputs = [{"name": name, "shape": [len(rows), 1], "datatype": "FP64", "data": data} for name, data in columns]
    asked = [{"name": "predict_proba"}]
    return {"parameters": {"content_type": "pd"}, "inputs": inputs, "outputs": asked}


def _arrow(rows: Numbers) -> bytes:
    batch = pa.RecordBatch.from_arrays([pa.array(column, from_pandas=True) for column in rows.T], names=list(COLUMNS))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return sink.getvalue()


def _as_json(make: Callable[[Numbers], object]) -> Callable[[Numbers], bytes]:
    return lambda rows: json.dumps(make(rows)).encode()


def _split(rows: Numbers) -> dict[str, object]:
    return {"dataframe_split": {"columns": COLUMNS, "data": _plain(rows)}}


DRIVETRAIN = Format(
    _JSON,
    _as_json(lambda rows: {"rows": _named(rows)}),
    lambda answer: [prediction["score"] for prediction in json.loads(answer)["predictions"]],
)
ARROW = Format(_ARROW, _arrow, lambda answer: pa.ipc.open_stream(answer).read_all()["score"].to_pylist())
LIST = Format(_JSON, _as_json(_named), json.loads)
BENTOML = Format(_JSON, _as_json(lambda rows: {"rows": _named(rows)}), json.loads)
MLFLOW = Format(_JSON, _as_json(_split), lambda answer: [each[1] for each in json.loads(answer)["predictions"]])
MLFLOW_ONNX = Format(_JSON, _as_json(_split), lambda answer: _first_column(json.loads(answer)["predictions"]))
V2 = Format(_JSON, _as_json(_tensors), lambda answer: json.loads(answer)["outputs"][0]["data"][1::2])


def _first_column(found: object) -> list[float]:
    return found["score"] if isinstance(found, dict) else [each["score"] for each in found]
