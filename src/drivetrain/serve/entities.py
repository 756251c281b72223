"""``GET /v1/entities`` and the page that draws it: each machine, customer or card, by what was recorded of it.

The lake is read beside the loop, so that predictions do not wait for it, by Arrow, which is loaded when somebody asks
first. Nothing of it is kept in memory: what is no longer in the lake is no longer shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.resources import files
from string import Template

from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.core.entity_view import EntityView
from drivetrain.core.errors import NotFound
from drivetrain.serve.answers import CSV, JSON
from drivetrain.serve.beside import Beside, answer_later
from drivetrain.serve.docs import HEADERS
from drivetrain.serve.door import JSON_TYPE, Route
from drivetrain.serve.questions import ENTITIES, ENTITIES_PAGE, Question, What, read_question
from drivetrain.serve.sections import Missing
from drivetrain.serve.service import Service

OF_ONE, PAGE_OF_ONE = ENTITIES + "/", ENTITIES_PAGE + "/"
"""What begins like these speaks of one entity; the rest of the path names it."""


def entity_routes(service: Service) -> Iterator[tuple[str, Route]]:
    """The routes; they lead nowhere in a service whose project file asks for no pages of entities."""
    view, entry = service.settings.entities, service.callers.only("entities")
    pages = Entities(service, view or EntityView())
    asked = ((ENTITIES, pages.all, entry), (OF_ONE, pages.one, entry))
    for path, endpoint, who in (*asked, (ENTITIES_PAGE, pages.page, None), (PAGE_OF_ONE, pages.page, None)):
        there = endpoint if view else Missing("service.entities", service.name)
        yield path, Route(path, "GET", {JSON_TYPE: there}, service.counts, who)


class Entities:
    """The endpoints of one service."""

    def __init__(self, service: Service, view: EntityView) -> None:
        self._service, self._view = service, view
        self._beside = Beside(service.settings.max_waiting_requests)

    def all(self, exchange: Exchange) -> None:
        """Which entities there are. Raises InvalidInput for a query that means nothing, as ``one`` does."""
        self._ask(exchange, "entities", "")

    def one(self, exchange: Exchange) -> None:
        """One entity. Raises NotFound for a path without a name."""
        name = exchange.head.path.partition(OF_ONE)[2]
        if not name:
            hint = f"GET {ENTITIES} lists them"
            raise NotFound("entity_unknown", "the path names no entity", where=ENTITIES, hint=hint)
        self._ask(exchange, "entity", name)

    def page(self, exchange: Exchange) -> None:
        """The page that draws them; it asks for a key, and finds in its own address which one to draw."""
        text = files("drivetrain.serve").joinpath("entities.html").read_text(encoding="utf-8")
        long = f"/services/{self._service.name}"
        prefix = long if exchange.head.path.startswith(f"{long}/") else ""
        page = Template(text).substitute(service=escape(self._service.name), prefix=escape(prefix))
        exchange.answer(Answer(200, HEADERS, page.encode()))

    def _ask(self, exchange: Exchange, what: What, name: str) -> None:
        wants_csv = "text/csv" in exchange.head.headers.get("accept", "")
        answer_later(exchange, self._tell, read_question(what, name, exchange.head.query), wants_csv=wants_csv)

    async def _tell(self, question: Question, *, wants_csv: bool) -> Answer:
        body = await self._beside.do(lambda: self._read(question, wants_csv=wants_csv))
        return Answer(200, CSV if wants_csv else JSON, body)

    def _read(self, question: Question, *, wants_csv: bool) -> bytes:
        from drivetrain.serve.entity_answers import answer  # Arrow: a server that nobody asks does not load it

        return answer(self._service, self._view, question, wants_csv=wants_csv)
