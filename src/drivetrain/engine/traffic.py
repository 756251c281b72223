"""Held-back rows as live traffic: the test part of a feature table, sent to a running service over HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import msgspec
import pyarrow as pa

from drivetrain.core.errors import Transient
from drivetrain.core.events import Progress, silent
from drivetrain.store.cases import Cases

_ROWS_A_REQUEST = 100
_TIMEOUT_S = 30


@dataclass(frozen=True)
class Answers:
    """What a service answered, in the order of the rows: prediction ids, scores, decisions."""

    ids: tuple[str, ...]
    scores: tuple[float, ...]
    decisions: tuple[bool, ...]


class _Prediction(msgspec.Struct):
    id: str
    score: float
    decision: bool


class _Answer(msgspec.Struct):
    predictions: list[_Prediction]


class Caller:
    """Somebody who calls a service with an API key, over one connection that stays open."""

    def __init__(self, url: str, key: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT_S)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def predict(self, inputs: pa.Table, progress: Progress = silent) -> Answers:
        """Ask for every row, a hundred a request. Raises Transient when the service does not answer with 200."""
        ids: list[str] = []
        scores: list[float] = []
        decisions: list[bool] = []
        for rows in _batches(inputs):
            answer = msgspec.json.decode(self._post("/v1/predict", {"rows": rows}), type=_Answer)
            for prediction in answer.predictions:
                ids.append(prediction.id)
                scores.append(prediction.score)
                decisions.append(prediction.decision)
            progress(len(ids), inputs.num_rows, f"{len(ids):,} predictions")
        return Answers(tuple(ids), tuple(scores), tuple(decisions))

    def label(self, answers: Answers, cases: Cases, progress: Progress = silent) -> None:
        """Tell the service how the cases behind its answers came out."""
        labels = [
            {"prediction_id": name, "label": bool(label)} for name, label in zip(answers.ids, cases.label, strict=True)
        ]
        for start in range(0, len(labels), 1000):
            self._post("/v1/labels", {"labels": labels[start : start + 1000]})
            progress(start, len(labels), "outcomes")

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _post(self, path: str, body: object) -> bytes:
        try:
            self._connection.request("POST", path, json.dumps(body, default=str), self._headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Transient("service_unreachable", f"the service did not answer: {error}", where=path) from error
        if response.status >= 300:
            text = content.decode(errors="replace")[:300]
            raise Transient("service_refused", f"the service answered {response.status}: {text}", where=path)
        return content


def drifted(inputs: pa.Table, sql: Path) -> pa.Table:
    """The rows as a changed world would send them: the SQL file reads them as ``traffic``."""
    with duckdb.connect() as connection:
        connection.register("traffic", inputs)
        changed = connection.execute(sql.read_text(encoding="utf-8")).to_arrow_table()
    return changed.select(inputs.column_names).cast(inputs.schema, safe=False)


def _batches(inputs: pa.Table) -> Iterator[list[dict[str, object]]]:
    for batch in inputs.to_batches(max_chunksize=_ROWS_A_REQUEST):
        yield batch.to_pylist()
