"""What goes back over HTTP, and the one table from errors to status codes."""

from __future__ import annotations

import math

import msgspec

from drivetrain.connect.http.messages import Answer, Headers
from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, NotFound, Transient

JSON: Headers = (("content-type", "application/json"),)
CSV: Headers = (("content-type", "text/csv; charset=utf-8"),)
_BY_CODE = {
    "body_too_large": 413,
    "rows_too_many": 413,
    "explained_rows_too_many": 413,
    "document_too_large": 413,
    "media_type_unknown": 415,
    "document_unknown": 415,
    "request_too_slow": 408,
    "method_unknown": 405,
    "key_missing": 401,
    "key_unknown": 401,
    "rate_limited": 429,
    "quota_exceeded": 429,
    "case_answered": 409,
    "overloaded": 503,
    "model_code_failed": 500,  # the row is as the signature says: the model's own code is to blame
}
_BY_FAMILY: tuple[tuple[type[DrivetrainError], int], ...] = (
    (InvalidInput, 400),
    (NotFound, 404),
    (Forbidden, 403),
    (Transient, 503),
)


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong, where in the request, and what to do about it."""

    code: str
    message: str
    where: str
    hint: str


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of every answer that is not a success."""

    error: ErrorBody


class InferenceErrorAnswer(msgspec.Struct, frozen=True):
    """The same as the Open Inference Protocol wants it: ``error`` is one text."""

    error: str
    code: str
    where: str
    hint: str


class MethodUnknown(InvalidInput):
    """A path that is not answered to this method, but to ``allowed``."""

    def __init__(self, given: str, allowed: str) -> None:
        super().__init__("method_unknown", f"{given} is not answered here", where="method", hint=f"use {allowed}")
        self.allowed = allowed


class Overloaded(Transient):
    """Too much is waiting; ``seconds`` until it may be worth another try."""

    def __init__(self) -> None:
        hint = "ask again after Retry-After seconds"
        super().__init__("overloaded", "too many requests are waiting", hint=hint, seconds=1)


class StreamError(ErrorBody, frozen=True):
    """The same with the HTTP status that it would have had before the answer began."""

    status: int


class StreamErrorAnswer(msgspec.Struct, frozen=True):
    """The last line of an answer that cannot go on."""

    error: StreamError


def json(value: object) -> Answer:
    """A success with a JSON body."""
    return Answer(200, JSON, msgspec.json.encode(value))


def refusal(error: DrivetrainError, *, inference: bool = False) -> Answer:
    """The answer that tells an error; in the words of the Open Inference Protocol for ``inference``."""
    body: object = ErrorAnswer(ErrorBody(error.code, error.message, error.where, error.hint))
    if inference:
        place = f"{error.where}: " if error.where else ""
        body = InferenceErrorAnswer(place + error.message, error.code, error.where, error.hint)
    return Answer(status(error), JSON + _advice(error), msgspec.json.encode(body))


def status(error: DrivetrainError) -> int:
    """The HTTP status of an error."""
    known = _BY_CODE.get(error.code)
    return known or next((number for family, number in _BY_FAMILY if isinstance(error, family)), 500)


def told(error: DrivetrainError) -> StreamErrorAnswer:
    """An error in the middle of an answer that has begun."""
    return StreamErrorAnswer(StreamError(error.code, error.message, error.where, error.hint, status(error)))


def retry_after(error: Transient) -> str:
    """When to ask again, in whole seconds; one, where the error does not say."""
    return str(math.ceil(error.seconds or 1))


def _advice(error: DrivetrainError) -> Headers:
    if isinstance(error, Transient):
        return (("retry-after", retry_after(error)),)
    if isinstance(error, MethodUnknown):
        return (("allow", error.allowed),)
    if error.code in ("key_missing", "key_unknown"):
        return (("www-authenticate", "Bearer"),)
    return ()
