"""``POST /v1/search``: what the service knows of a question, with how sure that is and what may be cited."""

from __future__ import annotations

from typing import Annotated

import msgspec

from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.ops.knowledge import Found, Knowledge
from drivetrain.serve.beside import Beside, answer_later
from drivetrain.serve.complaints import parsed
from drivetrain.serve.door import caller_of
from drivetrain.serve.nesting import check_nesting
from drivetrain.serve.predict import headers_of
from drivetrain.serve.sections import missing
from drivetrain.serve.service import Service

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


class Search:
    """The endpoint of one service."""

    def __init__(self, service: Service, beside: Beside) -> None:
        self._service = service
        self._beside = beside
        self._decoder = msgspec.json.Decoder(SearchRequest)

    def __call__(self, exchange: Exchange) -> None:
        """Answer from the knowledge of the release that serves. Raises InvalidInput, NotFound, Transient."""
        release = self._service.standing().champion.contender.release
        if release.knowledge is None:
            raise missing("knowledge", str(release.ref))
        check_nesting(exchange.body, self._service.settings.max_nesting)
        request = parsed(self._decoder.decode, exchange.body, ("query", "k"))
        caller_of(exchange).charge(1)
        answer_later(exchange, self._answer, request, str(release.ref), release.knowledge)

    async def _answer(self, request: SearchRequest, release: str, knowledge: Knowledge) -> Answer:
        found = await self._beside.do(lambda: knowledge.search(request.query, request.k))
        told = SearchAnswer(release, [as_told(one) for one in found])
        return Answer(200, headers_of(release), msgspec.json.encode(told))


def as_told(found: Found) -> FoundPassage:
    """A passage in the words of the answer."""
    passage = found.passage
    return FoundPassage(
        passage.id, passage.question, passage.answer, passage.title, passage.url, passage.language,
        round(found.score, 4), found.is_cited,
    )  # fmt: skip
