"""The answers of the dashboard, read from the lake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

import drivetrain.store.arrow_alone  # noqa: F401 - before all that makes arrays
from drivetrain.serve.forecast_messages import (
    Accuracy,
    AccuracyAnswer,
    Earlier,
    HistoryAnswer,
    Order,
    Seen,
    Series,
    SeriesAnswer,
    SeriesList,
)
from drivetrain.serve.questions import Question, What
from drivetrain.store.catalog import Catalog
from drivetrain.store.files.spreadsheet import to_csv
from drivetrain.store.forecasts import By, Forecasts

Told = tuple[pa.Table, msgspec.Struct]
T = TypeVar("T")


def answer(catalog: Catalog, service: str, question: Question, *, wants_csv: bool) -> bytes:
    """The answer as JSON, or its rows as CSV. Raises NotFound where nothing was forecast."""
    rows, told = _ANSWERS[question.what](Forecasts(catalog, service), question)
    return to_csv(rows) if wants_csv else msgspec.json.encode(told)


def _series(forecasts: Forecasts, question: Question) -> Told:
    rows, level = forecasts.series(), question.texts["level"]
    if level:
        rows = rows.filter(pc.equal(rows["level"], level))
    rows = rows.filter(pc.match_substring(rows["series"], question.texts["contains"], ignore_case=True))
    some = rows.slice(question.numbers["offset"], question.numbers["limit"])
    return some, SeriesList(rows.num_rows, _as(some, Series))


def _one(forecasts: Forecasts, question: Question) -> Told:
    name = question.name
    ahead, rows = forecasts.newest(name), forecasts.seen(name, question.numbers["days"])
    orders = _as(forecasts.orders(name).drop_columns(["run", "origin", "series"]), Order)
    first = ahead.slice(0, 1).to_pylist()[0]
    told = SeriesAnswer(name, first["release"], first["origin"], orders[0] if orders else None, _as(rows, Seen))
    return rows, told


def _history(forecasts: Forecasts, question: Question) -> Told:
    rows = forecasts.history(question.name, question.numbers["origins"])
    return rows, HistoryAnswer(question.name, _as(rows, Earlier))


def _accuracy(forecasts: Forecasts, question: Question) -> Told:
    by = tuple(dict.fromkeys(question.texts["by"].split(",")))
    rows = forecasts.accuracy(cast(tuple[By, ...], by))
    return rows, AccuracyAnswer(_as(rows, Accuracy))


def _as(rows: pa.Table, kind: type[T]) -> list[T]:
    return [msgspec.convert(row, kind) for row in rows.to_pylist()]


_ANSWERS: Mapping[What, Callable[[Forecasts, Question], Told]] = {
    "series": _series, "one": _one, "history": _history, "accuracy": _accuracy,
}  # fmt: skip
