"""What dashboards ask of a service that forecasts: its series, what was and what comes, earlier forecasts, accuracy.

The lake is read in a thread of its own, so that predictions do not wait for it, and by Arrow, which is loaded when
somebody asks first. Every answer is JSON, or CSV for who asks for ``text/csv``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import escape
from importlib.resources import files
from string import Template

from drivetrain.connect.http.messages import Answer, Exchange, Headers
from drivetrain.core.errors import NotFound
from drivetrain.serve.answers import JSON
from drivetrain.serve.docs import HEADERS
from drivetrain.serve.door import JSON_TYPE, Route
from drivetrain.serve.predict import failure
from drivetrain.serve.questions import ACCURACY, PAGE, SERIES, Question, What, read_question
from drivetrain.serve.service import Service

OF_ONE = SERIES + "/"
"""What begins like this speaks of one series; the rest of the path names it."""
_HISTORY = "/forecasts"
_CSV: Headers = (("content-type", "text/csv; charset=utf-8"),)


def dashboard_routes(service: Service) -> Iterator[tuple[str, Route]]:
    """The routes of a service that forecasts."""
    desk = Desk(service)
    for path, endpoint in ((SERIES, desk.series), (OF_ONE, desk.one), (ACCURACY, desk.accuracy)):
        yield path, Route(path, "GET", {JSON_TYPE: endpoint}, service.counts, service.callers)
    yield PAGE, Route(PAGE, "GET", {JSON_TYPE: desk.page}, service.counts)


class Desk:
    """The endpoints of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._thread = ThreadPoolExecutor(1, "dashboard")

    def series(self, exchange: Exchange) -> None:
        """The series that are forecast. Raises InvalidInput for a query that means nothing, as the others do."""
        self._ask(exchange, "series", "")

    def one(self, exchange: Exchange) -> None:
        """One series, or its earlier forecasts. Raises NotFound for a path without a name."""
        path = exchange.head.path.partition(OF_ONE)[2]
        name = path.removesuffix(_HISTORY)
        if not name:
            raise NotFound("series_unknown", "the path names no series", where=SERIES, hint=f"GET {SERIES} lists them")
        self._ask(exchange, "one" if name == path else "history", name)

    def accuracy(self, exchange: Exchange) -> None:
        """How good forecasts were, where the truth has arrived."""
        self._ask(exchange, "accuracy", "")

    def page(self, exchange: Exchange) -> None:
        """The page that draws all of it; it asks for a key."""
        text = files("drivetrain.serve").joinpath("forecasts.html").read_text(encoding="utf-8")
        prefix = exchange.head.path.removesuffix(PAGE)
        page = Template(text).substitute(service=escape(self._service.name), prefix=escape(prefix))
        exchange.answer(Answer(200, HEADERS, page.encode()))

    def _ask(self, exchange: Exchange, what: What, name: str) -> None:
        exchange.run(self._tell(exchange, read_question(what, name, exchange.head.query)))

    async def _tell(self, exchange: Exchange, question: Question) -> None:
        wants_csv = "text/csv" in exchange.head.headers.get("accept", "")
        loop = asyncio.get_running_loop()
        try:
            body = await loop.run_in_executor(self._thread, self._read, question, wants_csv)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, nobody may wait for ever; the door tells it
            exchange.answer(failure(error))
            return
        exchange.answer(Answer(200, _CSV if wants_csv else JSON, body))

    def _read(self, question: Question, wants_csv: bool) -> bytes:
        from drivetrain.serve.forecast_answers import answer  # Arrow: a server that nobody asks does not load it

        return answer(self._service.catalog, self._service.name, question, wants_csv=wants_csv)
