"""``POST /v1/chat``: a message in, a reply out; every intent that the model decides is a recorded prediction."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.core.conversation import ChatPlan, Memory
from drivetrain.core.errors import InvalidInput
from drivetrain.ops.dialogue import Dialogue, Guess, Move
from drivetrain.ops.knowledge import Found
from drivetrain.ops.language import language_of
from drivetrain.ops.personal_data import mask
from drivetrain.serve.beside import answer_later
from drivetrain.serve.chat_messages import ChatAnswer, ChatRequest, Cited, Over, Spoken
from drivetrain.serve.complaints import parsed
from drivetrain.serve.desk import Desk
from drivetrain.serve.door import caller_of
from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.nesting import check_nesting
from drivetrain.serve.predict import headers_of
from drivetrain.serve.rows import RowForm, Rows
from drivetrain.serve.scoring import Request
from drivetrain.serve.sections import missing
from drivetrain.serve.wording import Scored
from drivetrain.store.conversations import HandOver, Turn

_CITED = 3


@dataclass(frozen=True)
class Understood:
    """What the model said of a message, and under which id that is recorded."""

    guess: Guess
    intent: str
    score: float
    prediction_id: str


class Chat:
    """The endpoint of one service."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._service = desk.service
        self._decoder = msgspec.json.Decoder(ChatRequest)

    def __call__(self, exchange: Exchange) -> None:
        """Reply beside the loop. Raises InvalidInput, NotFound where nobody said how to talk, Transient."""
        release = self._service.standing().champion.contender.release
        if release.chat is None:
            raise missing("chat", str(release.ref))
        check_nesting(exchange.body, self._service.settings.max_nesting)
        request = parsed(self._decoder.decode, exchange.body, ("message", "session"))
        if len(request.message or "") > release.chat.limits.characters:
            raise InvalidInput(
                "message_long",
                f"the message has more than {release.chat.limits.characters:,} characters",
                where="message",
                hint="send less at a time",
            )
        answer_later(exchange, self._answer, exchange, request, release, release.chat)

    async def _answer(self, exchange: Exchange, request: ChatRequest, release: LoadedRelease, plan: ChatPlan) -> Answer:
        told = await self._talk(exchange, request, release, plan)
        return Answer(200, headers_of(told.release), msgspec.json.encode(told))

    async def _talk(
        self, exchange: Exchange, request: ChatRequest, release: LoadedRelease, plan: ChatPlan
    ) -> ChatAnswer:
        caller, text = caller_of(exchange).name, (request.message or "").strip()
        session = request.session or secrets.token_urlsafe(16)
        memory = Memory()
        if request.session is not None:
            memory = await self._desk.do(lambda kept: kept.memory(session, caller))
        if not text:
            return await self._greet(session, caller, memory, release, plan)
        dialogue, understood = Dialogue(plan), None
        if dialogue.asks_the_model(memory, text):
            understood = await self._understand(exchange, plan, mask(text), session)
        guess = understood.guess if understood else None
        memory, move = dialogue.hear(memory, text, guess)
        cited: Sequence[Found] = ()
        if move.step == "search":
            cited = await self._search(release, memory.query)
            answer = await self._word(plan, memory.query, cited)
            memory, move = dialogue.found(memory, answer, guess)
        handed = _hand_over(move, memory, caller, release, understood)
        if handed is not None:
            handed = replace(handed, language=language_of(f"{memory.query} {text}") or "")
        told = Turn(
            mask(text), mask(move.reply) if move.step != "answer" else move.reply,
            understood.prediction_id if understood else "", understood.intent if understood else "",
        )  # fmt: skip
        await self._desk.do(lambda kept: kept.add(session, caller, memory, told, handed))
        self._desk.count(handed is not None)
        await self._desk.sweep(plan.limits.keep_days)
        lines = await self._desk.do(lambda kept: kept.transcript(session)) if handed else ()
        return ChatAnswer(
            session, move.reply, memory.state, str(release.ref),
            citations=[_cited(one) for one in cited],
            options=[dialogue.title(choice) for choice in memory.choices],
            intent=understood.intent if understood else None,
            score=understood.score if understood else None,
            prediction_id=understood.prediction_id if understood else None,
            hand_over=Over(handed.queue, handed.priority, [Spoken(one.at, one.who, one.text) for one in lines])
            if handed else None,
        )  # fmt: skip

    async def _greet(
        self, session: str, caller: str, memory: Memory, release: LoadedRelease, plan: ChatPlan
    ) -> ChatAnswer:
        """A conversation that begins is written down, so that the next message finds it."""
        greeting = plan.phrases.greeting
        if not memory.turns:
            await self._desk.do(lambda kept: kept.add(session, caller, memory, Turn("", greeting), None))
        return ChatAnswer(session, greeting, memory.state, str(release.ref))

    async def _understand(self, exchange: Exchange, plan: ChatPlan, message: str, session: str) -> Understood:
        """Ask the model as any caller does: recorded, counted, and by whatever release is on trial."""
        service, lineup = self._service, self._service.standing()
        heard = _Heard(plan.text, message, session)
        late = exchange.started + service.patience(exchange)
        service.queue(heard, caller_of(exchange), late)
        scored = await heard.result
        (intent,), likeliest = scored.columns()[0], ()
        if not scored.decisions[0]:
            contender = next(each for each in lineup.contenders if each.name == scored.release)
            rows = np.frombuffer(heard.read(contender.form).packed).reshape(1, -1)
            answer = await self._desk.beside.do(lambda: contender.told(rows))
            classes = contender.release.signature.classes
            likeliest = tuple(classes[at] for at in np.argsort(-answer[0], kind="stable")[:2].tolist())
        guess = Guess(likeliest or (str(intent),), scored.decisions[0])
        return Understood(guess, str(intent), scored.scores[0], scored.ids[0])

    async def _search(self, release: LoadedRelease, query: str) -> Sequence[Found]:
        knowledge = release.knowledge
        if knowledge is None:
            return ()
        found = await self._desk.beside.do(lambda: knowledge.search(query, _CITED, language_of(query)))
        return [one for one in found if one.is_cited]

    async def _word(self, plan: ChatPlan, message: str, cited: Sequence[Found]) -> str:
        """What the passages answer: in the words of a language model where there is one that keeps to them."""
        if not cited:
            return ""
        written = await self._desk.write(plan.generation, message, [one.passage for one in cited])
        return written or cited[0].passage.answer


class _Heard(Request):
    """A message as the only row of a request; the session is its entity, so that one release answers all of it."""

    def __init__(self, text: str, message: str, session: str) -> None:
        self._text, self._message, self._session = text, message, session
        self.result: asyncio.Future[Scored] = asyncio.get_running_loop().create_future()

    def read(self, form: RowForm) -> Rows:
        row = {self._text: self._message, **({form.entity: self._session} if form.entity else {})}
        return form.read(msgspec.json.encode({"rows": [row]}))

    def tell(self, result: Scored | Exception) -> None:
        if self.result.done():  # whoever asked has gone
            return
        if isinstance(result, Exception):
            self.result.set_exception(result)
        else:
            self.result.set_result(result)


def _hand_over(
    move: Move, memory: Memory, caller: str, release: LoadedRelease, understood: Understood | None
) -> HandOver | None:
    if move.desk is None:
        return None
    prediction = understood.prediction_id if understood else ""
    return HandOver(
        move.desk.queue, move.desk.priority, memory.intent, memory.query, dict(memory.slots), caller,
        str(release.ref), prediction,
    )  # fmt: skip


def _cited(found: Found) -> Cited:
    passage = found.passage
    return Cited(passage.id, passage.question, passage.title, passage.url, round(found.score, 4))
