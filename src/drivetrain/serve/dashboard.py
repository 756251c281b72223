"""What dashboards ask of a service that forecasts: its series, what was and what comes, earlier forecasts, accuracy.

The lake is read in a thread of its own, so that predictions do not wait for it, and by Arrow, which is loaded when
somebody asks first. Every answer is JSON, or CSV for who asks for ``text/csv``.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.resources import files
from string import Template

from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.core.errors import NotFound
from drivetrain.serve.answers import CSV, JSON
from drivetrain.serve.beside import Beside, answer_later
from drivetrain.serve.docs import HEADERS
from drivetrain.serve.door import JSON_TYPE, Route
from drivetrain.serve.questions import ACCURACY, PAGE, SERIES, Question, What, read_question
from drivetrain.serve.sections import Missing
from drivetrain.serve.service import Service

OF_ONE = SERIES + "/"
"""What begins like this speaks of one series; the rest of the path names it."""
_HISTORY = "/forecasts"


def dashboard_routes(service: Service) -> Iterator[tuple[str, Route]]:
    """The routes; they lead nowhere in a service that does not forecast."""
    desk, entry = Desk(service), service.callers.only("forecasts")
    asked = ((SERIES, desk.series, entry), (OF_ONE, desk.one, entry), (ACCURACY, desk.accuracy, entry))
    for path, endpoint, who in (*asked, (PAGE, desk.page, None)):
        there = endpoint if service.settings.forecasts else Missing("forecast", service.name)
        yield path, Route(path, "GET", {JSON_TYPE: there}, service.counts, who)


class Desk:
    """The endpoints of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._beside = Beside(service.settings.max_waiting_requests)

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
        wants_csv = "text/csv" in exchange.head.headers.get("accept", "")
        answer_later(exchange, self._tell, read_question(what, name, exchange.head.query), wants_csv=wants_csv)

    async def _tell(self, question: Question, *, wants_csv: bool) -> Answer:
        body = await self._beside.do(lambda: self._read(question, wants_csv=wants_csv))
        return Answer(200, CSV if wants_csv else JSON, body)

    def _read(self, question: Question, *, wants_csv: bool) -> bytes:
        from drivetrain.serve.forecast_answers import answer  # Arrow: a server that nobody asks does not load it

        return answer(self._service.catalog, self._service.name, question, wants_csv=wants_csv)
