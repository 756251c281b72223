"""Which web pages may call the service from a browser: none, unless their origin is listed (Fetch standard, CORS)."""

from __future__ import annotations

from drivetrain.serve.http.messages import Answer, Exchange

_ALLOWED_HEADERS = "authorization, content-type, x-api-key, x-deadline-ms"
_CACHE_SECONDS = "600"


class Cors:
    """The origins that may call."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(origins)

    def meets(self, exchange: Exchange) -> bool:
        """Give the headers to a page of a listed origin; True when that was a preflight, which is answered here."""
        headers = exchange.head.headers
        origin = headers.get("origin")
        if origin is None:
            return False
        if origin in self._origins:
            exchange.extra = (("access-control-allow-origin", origin), ("vary", "origin"))
        if exchange.head.method != "OPTIONS" or "access-control-request-method" not in headers:
            return False
        if exchange.extra:
            exchange.extra += (
                ("access-control-allow-methods", "GET, POST"),
                ("access-control-allow-headers", _ALLOWED_HEADERS),
                ("access-control-max-age", _CACHE_SECONDS),
            )
        exchange.answer(Answer(204, (), b""))
        return True
