"""``POST /v1/predict``: named columns in; score, decision and, if asked for, the top reasons out."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import parse_qs

import msgspec
import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import UNKNOWN, InputField
from drivetrain.core.schema import ColumnType
from drivetrain.ops.explain import shapley
from drivetrain.serve.answers import Answer, json
from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.rows import RowForm, Rows
from drivetrain.serve.scoring import Scoring

TOP = 5
"""Reasons given for a decision at most."""

Value = str | float | bool | None


class Reason(msgspec.Struct, frozen=True):
    """An input that moved the score: its value, the typical one, and what it adds to the log-odds of the score."""

    field: str
    value: Value
    typical: Value
    effect: float


class Prediction(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the model says of one row. ``id`` names it in labels and in the lake; ``reasons`` come strongest first."""

    id: str
    score: float
    decision: bool
    reasons: tuple[Reason, ...] | msgspec.UnsetType = msgspec.UNSET


class PredictAnswer(msgspec.Struct, frozen=True):
    """The predictions, in the order of the rows, and the release that made them."""

    release: str
    predictions: list[Prediction]


class Predict:
    """The endpoint of one release."""

    def __init__(self, release: LoadedRelease, form: RowForm, scoring: Scoring, limits: RowLimits) -> None:
        self._release = release
        self._name = str(release.ref)
        self._form = form
        self._scoring = scoring
        self._limits = limits
        self._explainer = ThreadPoolExecutor(1, "explain")

    async def __call__(self, caller: str, body: bytes, query: str) -> Answer:
        """Score the rows of the body and record them. Raises InvalidInput or Transient."""
        rows = self._form.read(body)
        explain = rows.explain or (bool(query) and _asks_to_explain(query))
        self._limits.check(len(rows.entities), explain=explain)
        scored = await self._scoring.submit(rows.packed, rows.entities, caller)
        if not explain:
            return json(PredictAnswer(self._name, list(map(Prediction, *scored))))
        reasons = await asyncio.get_running_loop().run_in_executor(self._explainer, self._reasons, rows)
        return json(PredictAnswer(self._name, list(map(Prediction, *scored, reasons))))

    def _reasons(self, rows: Rows) -> list[tuple[Reason, ...]]:
        packed = np.frombuffer(rows.packed).reshape(len(rows.entities), -1)
        return [self._explain(row) for row in packed]

    def _explain(self, row: NDArray[np.float64]) -> tuple[Reason, ...]:
        effects = shapley(self._release.score, row, self._release.typical)
        strongest = np.argsort(-np.abs(effects), kind="stable")[:TOP]
        fields = self._release.signature.inputs
        return tuple(
            Reason(fields[at].name, readable(fields[at], row[at]), readable(fields[at], fields[at].typical), effect)
            for at in strongest.tolist()
            if (effect := float(effects[at]))
        )


class RowLimits(msgspec.Struct, frozen=True):
    """How many rows one request may bring, and how many of them may be explained."""

    rows: int
    explained: int

    def check(self, rows: int, *, explain: bool = False) -> None:
        """Raise InvalidInput when a request brings too many."""
        if rows > self.rows:
            raise InvalidInput(
                "rows_too_many", f"{rows} rows in one request", where="rows", hint=f"send at most {self.rows} at a time"
            )
        if explain and rows > self.explained:
            raise InvalidInput(
                "explained_rows_too_many",
                f"{rows} rows to explain in one request",
                where="rows",
                hint=f"explain at most {self.explained} at a time",
            )


def readable(field: InputField, value: float) -> Value:
    """A packed value as a caller would write it; None for missing and for text that the model does not know."""
    if np.isnan(value) or (field.type is ColumnType.TEXT and value == UNKNOWN):
        return None
    if field.type is ColumnType.TEXT:
        return field.categories[int(value)]
    if field.type is ColumnType.BOOLEAN:
        return bool(value)
    if field.type is ColumnType.INTEGER:
        return int(value)
    if field.type in (ColumnType.DATE, ColumnType.TIMESTAMP):
        moment = datetime.fromtimestamp(value, UTC)
        return moment.date().isoformat() if field.type is ColumnType.DATE else moment.isoformat()
    return float(value)


def _asks_to_explain(query: str) -> bool:
    asked = parse_qs(query).get("explain", ["false"])[-1]
    if asked not in ("true", "false"):
        raise InvalidInput(
            "query_invalid", f"explain is {asked[:20]!r}", where="explain", hint="write explain=true or explain=false"
        )
    return asked == "true"
