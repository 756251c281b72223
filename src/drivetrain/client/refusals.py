"""What a service refused, as the errors of ``core.errors``: one table from HTTP to families."""

from __future__ import annotations

import re
from http import HTTPStatus

import msgspec

from drivetrain.client.answers import ErrorAnswer, ErrorBody
from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, NotFound, Transient

_FAMILIES: dict[int, type[DrivetrainError]] = {
    HTTPStatus.UNAUTHORIZED: Forbidden,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.REQUEST_TIMEOUT: Transient,
    HTTPStatus.TOO_MANY_REQUESTS: Transient,
    HTTPStatus.BAD_GATEWAY: Transient,
    HTTPStatus.SERVICE_UNAVAILABLE: Transient,
    HTTPStatus.GATEWAY_TIMEOUT: Transient,
}
_PLACE = re.compile(r"(rows|labels)\[(\d+)\]")
_ERROR = msgspec.json.Decoder(ErrorAnswer)
_SHOWN = 300
_BETWEEN = "these are not the words of a prediction service: look at the address, and at what stands in between"


class TooLarge(InvalidInput):
    """A request that holds more than the service takes at a time."""


def refusal(status: int, body: bytes, where: str) -> DrivetrainError:
    """The error in an answer with this status; ``where`` is the address, for what does not say a place itself."""
    told: ErrorBody | DrivetrainError
    try:
        told = _ERROR.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        shown = body[:_SHOWN].decode(errors="replace").strip()
        told = DrivetrainError("service_refused", f"the service answered {status}: {shown}", where=where, hint=_BETWEEN)
    return _family(status)(told.code, told.message, where=told.where, hint=told.hint)


def ending(line: bytes) -> DrivetrainError:
    """The error in the last line of a stream that broke: about a row, or else of the service."""
    told = _ERROR.decode(line).error
    status = told.status or (HTTPStatus.BAD_REQUEST if _PLACE.match(told.where) else HTTPStatus.SERVICE_UNAVAILABLE)
    return _family(status)(told.code, told.message, where=told.where, hint=told.hint)


def moved(error: DrivetrainError, start: int) -> DrivetrainError:
    """The same error, its ``rows[3]`` counted from the start of the whole list."""
    if start and (place := _PLACE.match(error.where)):
        error.where = f"{place[1]}[{int(place[2]) + start}]{error.where[place.end() :]}"
    return error


def _family(status: int) -> type[DrivetrainError]:
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return TooLarge
    refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return _FAMILIES.get(status, InvalidInput if refused else DrivetrainError)
