"""``GET /widget.js``: the conversation on any web page, by one script of our own."""

from __future__ import annotations

from importlib.resources import files

from drivetrain.connect.http.messages import Answer, Exchange, Headers
from drivetrain.serve.sections import missing
from drivetrain.serve.service import Service

_HEADERS: Headers = (
    ("content-type", "text/javascript; charset=utf-8"),
    ("cache-control", "max-age=300"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "cross-origin"),
)


class Widget:
    """The endpoint of one service; it is open, for the page that shows the widget brings the key."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._script = files("drivetrain.serve").joinpath("widget.js").read_bytes()

    def __call__(self, exchange: Exchange) -> None:
        """Give the script. Raises NotFound where nobody said how to talk."""
        release = self._service.standing().champion.contender.release
        if release.chat is None:
            raise missing("chat", str(release.ref))
        exchange.answer(Answer(200, _HEADERS, self._script))
