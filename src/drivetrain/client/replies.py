"""Answers with status 200, decoded; what is none of ours is an error that says so."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from drivetrain.client.answers import Prediction
from drivetrain.client.refusals import ending
from drivetrain.client.wire import Reply
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import DrivetrainError

T = TypeVar("T")
_PREDICTIONS = msgspec.json.Decoder(Prediction)
_ERROR = b'{"error"'


def decoded(reply: Reply, kind: type[T], where: str) -> T:
    """The body as one value. Raises DrivetrainError when it is not that; ``where`` is the address."""
    try:
        return read_json(reply.body, kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(where, str(error)) from None


def lines(reply: Reply, where: str) -> tuple[list[Prediction], DrivetrainError | None]:
    """The predictions of a stream as far as it came, and what ended it early. Raises DrivetrainError."""
    whole, newline, last = reply.body.rpartition(b"\n")
    if last and reply.broken is None:  # the last line may do without an end
        whole += newline + last
    before, newline, last = whole.rpartition(b"\n")
    try:
        if last.startswith(_ERROR):
            return _PREDICTIONS.decode_lines(before), ending(last)
        return _PREDICTIONS.decode_lines(whole), reply.broken
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(where, str(error)) from None


def check_count(predictions: int, rows: int, where: str) -> None:
    """Raise DrivetrainError unless each row has a prediction."""
    if predictions != rows:
        raise _unreadable(where, f"{predictions} predictions for {rows} rows")


def _unreadable(where: str, why: str) -> DrivetrainError:
    return DrivetrainError(
        "answer_invalid",
        f"the answer is not that of a prediction service: {why}",
        where=where,
        hint="look at the address, and at what stands between here and there",
    )
