"""Which web pages may call the service from a browser: none, unless their origin is listed (Fetch standard, CORS)."""

from __future__ import annotations

from drivetrain.connect.http.messages import Answer, Exchange, Headers

_CACHE_SECONDS = "600"
_VARY: Headers = (("vary", "origin"),)
_TOLD: Headers = (("access-control-expose-headers", "retry-after, x-drivetrain-release"),)
_PREFLIGHT: Headers = (
    ("access-control-allow-methods", "GET, POST"),
    ("access-control-allow-headers", "authorization, content-type, x-api-key, x-deadline-ms"),
    ("access-control-max-age", _CACHE_SECONDS),
)


class Cors:
    """The origins that may call."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._allowed: dict[str, Headers] = {
            origin: (("access-control-allow-origin", origin), *_VARY) for origin in origins
        }

    def meets(self, exchange: Exchange) -> bool:
        """Give the headers to a page of a listed origin; True when that was a preflight, which is answered here."""
        headers = exchange.head.headers
        allowed = self._allowed.get(headers.get("origin", ""))
        preflight = exchange.head.method == "OPTIONS" and "access-control-request-method" in headers
        exchange.extra = _VARY if allowed is None else allowed + (_PREFLIGHT if preflight else _TOLD)
        if preflight:
            exchange.answer(Answer(204, (), b""))
        return preflight
