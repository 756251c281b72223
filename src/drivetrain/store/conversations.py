"""What people wrote to a service and what it said: one SQLite file beside the service's journal.

Every worker reads and writes it, a turn is one transaction, and a turn that was answered survives the end of any
process. It is the only place where the words of people lie, so that to forget a conversation is to delete it here: with
its turns and what was handed over. This file needs no Arrow: the server imports it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from drivetrain.core.conversation import Memory, Priority
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import NotFound, Transient
from drivetrain.store.metadata import Metadata

FILE = "chat.db"


@dataclass(frozen=True)
class Turn:
    """A message and the reply, without personal data; the prediction that said what it is about, if one was asked."""

    message: str
    reply: str
    prediction_id: str = ""
    intent: str = ""


@dataclass(frozen=True)
class Line:
    """One side of a turn, as a transcript shows it."""

    at: str
    who: str
    text: str


@dataclass(frozen=True)
class HandOver:
    """What a person needs who takes over. ``release`` answered last; ``slots`` are what was told when asked.

    ``language`` is a code of ISO 639-1, empty when nobody can tell.
    """

    queue: str
    priority: Priority
    intent: str
    message: str
    slots: dict[str, str]
    caller: str
    release: str
    prediction_id: str
    language: str = ""


@dataclass(frozen=True)
class HandedOver:
    """A hand-over in the order of all (``number``, from 1), when it was (ISO 8601, UTC), and the words before it."""

    number: int
    session: str
    at: str
    hand_over: HandOver
    transcript: tuple[Line, ...]


class Conversations:
    """The conversations of a service in the folder ``journal``. For one thread at a time."""

    def __init__(self, journal: Path) -> None:
        self._data = Metadata(journal / FILE, "conversations.sql", "conversation_tables.sql")

    def memory(self, session: str, caller: str) -> Memory:
        """What is remembered of a conversation. Raises NotFound for one that this caller does not have."""
        rows = self._data.read("get_session", session=session, caller=caller)
        if not rows:
            raise NotFound(
                "session_unknown",
                "there is no such conversation",
                where="session",
                hint="leave `session` out to begin one; old ones are deleted",
            )
        return read_json(rows[0][0], Memory)

    def add(self, session: str, caller: str, memory: Memory, turn: Turn, hand_over: HandOver | None) -> None:
        """Write down a turn, and the hand-over that it led to, as one. Raises Transient when another came before."""
        at = _now()
        told = {
            "session": session, "number": str(memory.turns), "at": at, "message": turn.message, "reply": turn.reply,
            "prediction_id": turn.prediction_id, "intent": turn.intent,
        }  # fmt: skip
        entry = {
            "session": session, "caller": caller, "turns": str(memory.turns), "memory": _text(memory), "at": at,
        }  # fmt: skip
        over = [("put_hand_over", {"session": session, "at": at, "body": _text(hand_over)})] if hand_over else []
        if not self._data.write_if(("put_session", entry), [("put_turn", told), *over]):
            raise Transient(
                "session_busy",
                "another message of this conversation came first",
                where="session",
                hint="wait for each answer, then send the next message",
            )

    def transcript(self, session: str) -> tuple[Line, ...]:
        """What was written so far; a greeting has no message."""
        lines: list[Line] = []
        for at, message, reply in self._data.read("get_turns", session=session):
            lines += [Line(at, who, text) for who, text in (("person", message), ("service", reply)) if text]
        return tuple(lines)

    def intent(self, prediction_id: str) -> str:
        """What a prediction of a conversation said. Raises NotFound when no conversation has it."""
        rows = self._data.read("get_intent", prediction_id=prediction_id)
        if not rows:
            raise NotFound(
                "prediction_unknown",
                "no conversation has this prediction",
                where="prediction_id",
                hint="send the `prediction_id` of an answer of /v1/chat",
            )
        return rows[0][0]

    def handed_over(self) -> tuple[HandedOver, ...]:
        """Everything that was handed over and not forgotten, in order."""
        return tuple(
            HandedOver(int(number), session, at, read_json(body, HandOver), self.transcript(session))
            for number, session, at, body in self._data.read("get_hand_overs")
        )

    def sessions_of(self, who: str) -> tuple[str, ...]:
        """The conversations of a person, who is named by a session or by what they answered when they were asked."""
        return tuple(session for (session,) in self._data.read("find_sessions", who=who))

    def forget(self, session: str) -> bool:
        """Delete a conversation with all that was handed over of it; whether there was one."""
        found = bool(self._data.change("forget", session=session))
        self._data.settle()
        return found

    def forget_old(self, days: int) -> int:
        """Delete the conversations whose last message is older; how many."""
        before = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds")
        gone = self._data.change("forget_old", before=before)
        self._data.settle()
        return gone

    def close(self) -> None:
        """Let go of the file."""
        self._data.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _text(value: Memory | HandOver) -> str:
    return msgspec.json.encode(value).decode()
