"""``POST /v1/search``: what the service knows of a question, with how sure that is and what may be cited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, TypeVar

import msgspec

from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.core.errors import NotFound
from drivetrain.ops.knowledge import Found, Knowledge
from drivetrain.serve.answers import Overloaded
from drivetrain.serve.complaints import parsed
from drivetrain.serve.door import caller_of
from drivetrain.serve.nesting import check_nesting
from drivetrain.serve.predict import failure, headers_of
from drivetrain.serve.service import Service

T = TypeVar("T")
LONGEST = 2_000
"""Characters of a question."""
Question = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST)]


class SearchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody asks, and how many passages they want at most."""

    query: Question
    k: Annotated[int, msgspec.Meta(ge=1, le=50)] = 3


class FoundPassage(msgspec.Struct, frozen=True):
    """A passage: ``score`` (0 to 1) is what it has in common with the query, ``cited`` whether that is enough."""

    id: str
    question: str
    answer: str
    title: str
    url: str
    language: str
    score: float
    cited: bool


class SearchAnswer(msgspec.Struct, frozen=True):
    """Passages, the best first, and the release that found them."""

    release: str
    passages: list[FoundPassage]


class Beside:
    """A thread beside the loop for what takes milliseconds, so that whoever wants a score does not wait for it."""

    def __init__(self, most: int) -> None:
        """At most ``most`` may wait."""
        self._most = most
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, "beside")

    async def do(self, work: Callable[[], T]) -> T:
        """What ``work`` gives. Raises Overloaded when too many wait, and what it raises."""
        if self._waiting >= self._most:
            raise Overloaded
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let nobody wait any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


class Search:
    """The endpoint of one service."""

    def __init__(self, service: Service, beside: Beside) -> None:
        self._service = service
        self._beside = beside
        self._decoder = msgspec.json.Decoder(SearchRequest)

    def __call__(self, exchange: Exchange) -> None:
        """Answer from the knowledge of the release that serves. Raises InvalidInput, NotFound, Transient."""
        check_nesting(exchange.body, self._service.settings.max_nesting)
        request = parsed(self._decoder.decode, exchange.body, ("query", "k"))
        release = self._service.standing().champion.contender.release
        if release.knowledge is None:
            raise no_knowledge(str(release.ref))
        caller_of(exchange).charge(1)
        exchange.run(self._answer(exchange, request, str(release.ref), release.knowledge))

    async def _answer(self, exchange: Exchange, request: SearchRequest, release: str, knowledge: Knowledge) -> None:
        try:
            found = await self._beside.do(lambda: knowledge.search(request.query, request.k))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, nobody may wait for ever; the door tells it
            exchange.answer(failure(error))
            return
        told = SearchAnswer(release, [as_told(one) for one in found])
        exchange.answer(Answer(200, headers_of(release), msgspec.json.encode(told)))


def as_told(found: Found) -> FoundPassage:
    """A passage in the words of the answer."""
    passage = found.passage
    return FoundPassage(
        passage.id, passage.question, passage.answer, passage.title, passage.url, passage.language,
        round(found.score, 4), found.is_cited,
    )  # fmt: skip


def no_knowledge(release: str) -> NotFound:
    """A release that holds no knowledge was asked to search it."""
    return NotFound(
        "no_knowledge", f"{release} knows no passages", where="knowledge", hint="set `knowledge` in the project file"
    )
