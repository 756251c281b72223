"""One question and its answer over HTTP: time-outs, a pace, limits, and which faults pass.

No error and no log names a query: it may hold a key.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Event
from time import monotonic

from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import HTTPError, LocationParseError, LocationValueError, SSLError

from drivetrain.core.errors import InvalidInput, Transient

_PASSING = {408, 425, 429}
_PART = 64 * 1024
_LATER = "see whether the address is right and the service well; then run the same command again"


@dataclass(frozen=True)
class Limits:
    """How long a call may take and how much may come: seconds, bytes, calls a second (0: as they come)."""

    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    total_seconds: float = 300.0
    answer_bytes: int = 64 * 1024 * 1024
    per_second: float = 0.0


@dataclass(frozen=True)
class Call:
    """What is asked. ``headers`` and the query of ``url`` may hold credentials: they are never shown."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "GET"
    body: bytes | None = field(default=None, repr=False)

    @property
    def place(self) -> str:
        """The address as it may be shown."""
        return place(self.url)


@dataclass(frozen=True)
class Answer:
    """A whole answer of a status below 500; names of headers in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    place: str


class Caller:
    """Connections to services, kept open. Not for several threads."""

    def __init__(self, limits: Limits, ca: Path | None = None) -> None:
        """``ca`` is a PEM file to trust instead of this machine's. Raises InvalidInput when it is none."""
        logging.getLogger("urllib3.connectionpool").addFilter(_without_query)
        try:
            context = ssl.create_default_context(cafile=ca)
        except OSError as error:
            raise InvalidInput(
                "ca_unreadable", f"no certificates can be read there: {error}", where=str(ca), hint="give a PEM file"
            ) from None
        self._limits = limits
        self._pool = PoolManager(retries=False, ssl_context=context)
        self._next = 0.0

    def send(self, call: Call) -> Answer:
        """Ask once. Raises Transient for what may pass, InvalidInput for what does not."""
        self._keep_pace()
        over = monotonic() + self._limits.total_seconds
        try:
            response = self._open(call)
            try:
                body = self._read(response, over, call.place)
            finally:
                response.close()  # a whole answer has given its connection back before
        except (LocationParseError, LocationValueError):
            raise InvalidInput(
                "url_invalid", "this is not an address", where="url", hint="write https://HOST/PATH"
            ) from None
        except HTTPError as error:
            raise _fault(error, call.place) from None  # its text may hold the query
        comes_back = response.status >= 400 and "retry-after" in response.headers
        if response.status >= 500 or response.status in _PASSING or comes_back:
            raise Transient(
                "web_unavailable",
                f"the service answered {response.status}",
                where=call.place,
                hint=_LATER,
                seconds=_seconds(response.headers.get("retry-after", "")),
            )
        return Answer(response.status, response.headers, body, call.place)

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.clear()

    def _open(self, call: Call) -> BaseHTTPResponse:
        return self._pool.request(
            call.method,
            call.url,
            body=call.body,
            headers={"Accept-Encoding": "gzip", "User-Agent": "drivetrain", **call.headers},
            redirect=False,
            preload_content=False,
            timeout=Timeout(connect=self._limits.connect_seconds, read=self._limits.read_seconds),
        )

    def _read(self, response: BaseHTTPResponse, over: float, where: str) -> bytes:
        parts, size = [], 0
        while part := response.read1(_PART):
            parts.append(part)
            size += len(part)
            if size > self._limits.answer_bytes:
                raise InvalidInput(
                    "answer_too_large",
                    f"the answer is larger than {self._limits.answer_bytes / 2**20:g} MB",
                    where=where,
                    hint="ask for smaller pages, or raise `max_answer_mb`",
                )
            if monotonic() > over:
                raise Transient("web_cut_off", "the answer comes too slowly: it was given up", where=where, hint=_LATER)
        return b"".join(parts)

    def _keep_pace(self) -> None:
        if self._limits.per_second:
            Event().wait(max(0.0, self._next - monotonic()))
            self._next = monotonic() + 1 / self._limits.per_second


def place(url: str) -> str:
    """An address without what may be secret: user, query, fragment."""
    bare = url.partition("#")[0].partition("?")[0]
    scheme, mark, rest = bare.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"


def _fault(error: HTTPError, where: str) -> InvalidInput | Transient:
    cause = error.args[0] if isinstance(error, SSLError) and error.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return InvalidInput(
            "certificate_untrusted",
            f"the certificate of the service is not trusted: {cause.verify_message}",
            where=where,
            hint="give the PEM file of its authority as `ca`",
        )
    if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
        hint = "write `http://`, or name the port for TLS"
        return InvalidInput("web_refused", "the service speaks without TLS there", where=where, hint=hint)
    name = type(error).__name__
    if name in {"IncompleteRead", "ProtocolError", "InvalidChunkLength", "DecodeError"}:
        return Transient("web_cut_off", f"the answer did not come whole ({name})", where=where, hint=_LATER)
    source = error.__cause__ or cause
    said = source.strerror if isinstance(source, OSError) and source.strerror else name
    return Transient("web_unreachable", f"the service does not answer ({said})", where=where, hint=_LATER)


def _seconds(said: str) -> float | None:
    """What a Retry-After header asks for: seconds, or a date (RFC 9110, 10.2.3); None where it says neither."""
    if said.strip().isdigit():
        return float(said)
    try:
        when = parsedate_to_datetime(said)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _without_query(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(part.partition("?")[0] if isinstance(part, str) else part for part in record.args)
    return True
