"""``POST /v1/predict``: named columns in; score, decision and, if asked for, the top reasons out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import parse_qs

import msgspec
import numpy as np

from drivetrain.connect.http.messages import Answer, Exchange, Headers
from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import UNKNOWN, InputField
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Task
from drivetrain.ops.calibration import log_odds
from drivetrain.ops.explain import identity, shapley
from drivetrain.serve.answers import JSON
from drivetrain.serve.beside import answer_later, failure
from drivetrain.serve.contender import Contender
from drivetrain.serve.lineup import Lineup
from drivetrain.serve.nesting import check_nesting
from drivetrain.serve.rows import RowForm, Rows
from drivetrain.serve.scoring import Request
from drivetrain.serve.service import Service
from drivetrain.serve.wording import Matrix, Reason, Scored, Value, predictions

TOP = 5
"""Reasons given for a decision at most."""


class PredictAnswer(msgspec.Struct, frozen=True):
    """The predictions, in the order of the rows, and the release that made them."""

    release: str
    predictions: list[msgspec.Struct]


class Predict:
    """The endpoint of one service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.explainer = ThreadPoolExecutor(1, "explain")

    def __call__(self, exchange: Exchange) -> None:
        """Queue the rows of the body; they are recorded before the answer goes out. Raises what refuses them."""
        request = _Named(self, exchange)
        request.lineup = self.service.lineup
        self.service.submit(exchange, request)


class _Named(Request):
    """Rows of named columns as JSON."""

    lineup: Lineup | None = None

    def __init__(self, endpoint: Predict, exchange: Exchange) -> None:
        self.endpoint = endpoint
        self.exchange = exchange

    def read(self, form: RowForm) -> Rows:
        try:
            rows = form.read(self.exchange.body)
        except InvalidInput:  # what can be read is never nested deep: nobody else pays for the look
            check_nesting(self.exchange.body, self.endpoint.service.settings.max_nesting)
            raise
        query = self.exchange.head.query
        return rows._replace(explain=True) if query and asks_to_explain(query) else rows

    def tell(self, result: Scored | Exception) -> None:
        if not isinstance(result, Scored):
            self.exchange.answer(failure(result))
        elif self.rows.explain:
            answer_later(self.exchange, self._explain, result)
        else:
            self.exchange.answer(predicted(result, predictions(result)))

    async def _explain(self, scored: Scored) -> Answer:
        """Find the reasons in a thread of their own."""
        loop = asyncio.get_running_loop()
        contender, rows = self._scored_rows(scored)
        reasons = await loop.run_in_executor(self.endpoint.explainer, _reasons, contender, rows, scored)
        return predicted(scored, predictions(scored, reasons))

    def _scored_rows(self, scored: Scored) -> tuple[Contender, Matrix]:
        """Who answered, and the rows [n, F] as it reads them."""
        assert self.lineup is not None
        contender = next(each for each in self.lineup.contenders if each.name == scored.release)
        rows = self.rows if contender is self.lineup.champion.contender else self.read(contender.form)
        return contender, np.frombuffer(rows.packed).reshape(len(scored.ids), -1)


def predicted(scored: Scored, said: Iterable[msgspec.Struct]) -> Answer:
    """The answer to a request whose rows were scored."""
    return Answer(200, headers_of(scored.release), _ENCODE(PredictAnswer(scored.release, list(said))))


@lru_cache(maxsize=64)
def headers_of(release: str) -> Headers:
    """The headers of an answer that a release gave."""
    return (*JSON, ("x-drivetrain-release", release))


_ENCODE = msgspec.json.Encoder().encode


def _reasons(contender: Contender, rows: Matrix, scored: Scored) -> list[tuple[Reason, ...]]:
    if contender.release.signature.task is Task.CLASSES:
        return [explained(contender, row, int(code)) for row, code in zip(rows, scored.outputs[:, 0], strict=True)]
    return [explained(contender, row) for row in rows]


def explained(contender: Contender, row: Matrix, code: int | None = None) -> tuple[Reason, ...]:
    """The reasons for the answer to a row; of classes, for the probability of the one with that code."""

    def told(rows: Matrix) -> Matrix:
        answer = contender.told(rows)
        return answer if code is None else answer[:, code]

    link = identity if contender.release.signature.task is Task.NUMBER else log_odds
    effects = shapley(told, row, contender.release.typical, link=link)
    strongest = np.argsort(-np.abs(effects), kind="stable")[:TOP]
    fields = contender.release.signature.inputs
    return tuple(
        Reason(fields[at].name, readable(fields[at], row[at]), readable(fields[at], fields[at].typical), effect)
        for at in strongest.tolist()
        if (effect := float(effects[at]))
    )


def readable(field: InputField, value: float) -> Value:
    """A packed value as a caller would write it; None for missing and for text that the model does not know."""
    if np.isnan(value) or (field.type is ColumnType.TEXT and (value == UNKNOWN or not field.categories)):
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


def asks_to_explain(query: str) -> bool:
    """Whether a query says ``explain=true``; raises InvalidInput when it says what means nothing."""
    asked = parse_qs(query).get("explain", ["false"])[-1]
    if asked not in ("true", "false"):
        raise InvalidInput(
            "query_invalid", f"explain is {asked[:20]!r}", where="explain", hint="write explain=true or explain=false"
        )
    return asked == "true"
