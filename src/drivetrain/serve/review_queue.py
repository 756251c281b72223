"""``/v1/queue``: what waits for a person, one case of it, and the person's answer, which becomes a label.

The lake is read in a thread of its own, as for dashboards. A service whose release leaves nothing to a person has no
queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec

from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.core.review_queue import Label, Waiting
from drivetrain.serve.answers import json
from drivetrain.serve.beside import Beside, answer_later
from drivetrain.serve.complaints import parsed
from drivetrain.serve.docs import HEADERS
from drivetrain.serve.door import JSON_TYPE, Route, caller_of
from drivetrain.serve.labels import HINTS, check_label, count_labels
from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.nesting import check_nesting
from drivetrain.serve.questions import read_query
from drivetrain.serve.queue_messages import PAGE, PARAMETERS, QUEUE, REQUESTS, AnswerRequest, AnswerTold
from drivetrain.serve.service import Service
from drivetrain.serve.settings import ServiceSettings

if TYPE_CHECKING:
    from drivetrain.serve.queue_answers import QueueReader

T = TypeVar("T", bound=msgspec.Struct)
ONE = QUEUE + "/"
"""What begins like this speaks of one case; the rest of the path is the id of its prediction."""


def waiting_of(settings: ServiceSettings, release: LoadedRelease) -> Waiting | None:
    """Which predictions of a release wait; None where none ever does."""
    return settings.review.waiting(release.saying.rule, release.signature.task)


def queue_routes(service: Service) -> Iterator[tuple[str, Route]]:
    """The routes of the queue."""
    desk, counts, entry = QueueDesk(service), service.counts, service.callers.only("review")
    yield QUEUE, Route(QUEUE, "GET", {JSON_TYPE: desk.page}, counts, entry)
    answer = Route(ONE, "POST", {JSON_TYPE: desk.answer}, counts, entry)
    yield ONE, Route(ONE, "GET", {JSON_TYPE: desk.case}, counts, entry, beside=answer)
    yield PAGE, Route(PAGE, "GET", {JSON_TYPE: desk.html}, counts)


class QueueDesk:
    """The endpoints of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._beside = Beside(service.settings.max_waiting_requests)
        self._reader: QueueReader | None = None
        self._decoders = {
            task: cast("msgspec.json.Decoder[AnswerRequest]", msgspec.json.Decoder(request))
            for task, request in REQUESTS.items()
        }
        service.surroundings.closing.callback(self._close)

    def page(self, exchange: Exchange) -> None:
        """Some of what waits. Raises InvalidInput for a query that means nothing; NotFound, as the others do."""
        texts, numbers = read_query(PARAMETERS, exchange.head.query)
        which, whose = self._waiting(), self._whose(exchange)
        self._do(exchange, lambda reader: reader.page(which, whose, texts["class"], **numbers))

    def case(self, exchange: Exchange) -> None:
        """One case, with why the model thinks so."""
        which, whose, champion = self._waiting(), self._whose(exchange), self._service.standing().champion.contender
        name = _named(exchange)
        self._do(exchange, lambda reader: reader.case(name, which, whose, champion))

    def answer(self, exchange: Exchange) -> None:
        """Record what was true. Raises InvalidInput."""
        which, whose, name = self._waiting(), self._whose(exchange), _named(exchange)
        label, by = self._read(exchange), caller_of(exchange).name

        def count(told: AnswerTold) -> None:
            if told.recorded:
                count_labels(self._service, [label])

        self._do(exchange, lambda reader: AnswerTold(int(reader.answer(name, label, by, which, whose))), count)

    def html(self, exchange: Exchange) -> None:
        """The page on which a person goes through the queue; it asks for a key."""
        self._waiting()
        text = files("drivetrain.serve").joinpath("queue.html").read_text(encoding="utf-8")
        prefix = exchange.head.path.removesuffix(PAGE)
        page = Template(text).substitute(service=escape(self._service.name), prefix=escape(prefix))
        exchange.answer(Answer(200, HEADERS, page.encode()))

    def _waiting(self) -> Waiting:
        release = self._service.standing().champion.contender.release
        which = waiting_of(self._service.settings, release)
        if which is None:
            raise NotFound(
                "no_queue",
                f"{release.ref} leaves no case to a person",
                where=self._service.name,
                hint="say under `service.review` of the project file which ones wait",
            )
        return which

    def _whose(self, exchange: Exchange) -> str | None:
        return self._service.settings.review.whose(caller_of(exchange).name)

    def _read(self, exchange: Exchange) -> Label:
        task = self._service.signature.task
        check_nesting(exchange.body, self._service.settings.max_nesting)
        try:
            request = parsed(self._decoders[task].decode, exchange.body, ("label",))
        except InvalidInput as error:
            if error.where == "label":
                error.hint = HINTS[task]
            raise
        check_label(request.label, "label")
        return request.label

    def _do(self, exchange: Exchange, work: Callable[[QueueReader], T], after: Callable[[T], object] = id) -> None:
        """Answer with what ``work`` gives beside the loop; ``after`` gets it too, in the loop."""

        async def tell() -> Answer:
            told = await self._beside.do(lambda: work(self._open()))
            after(told)
            return json(told)

        answer_later(exchange, tell)

    def _open(self) -> QueueReader:
        """In the one thread beside the loop."""
        if self._reader is None:
            from drivetrain.serve.queue_answers import QueueReader  # Arrow: a server that nobody asks does not load it

            self._reader = QueueReader(self._service)
        return self._reader

    def _close(self) -> None:
        self._beside.close()
        if self._reader is not None:
            self._reader.close()


def _named(exchange: Exchange) -> str:
    return exchange.head.path.partition(ONE)[2]
