"""What is said over HTTP in a conversation."""

from __future__ import annotations

from typing import Annotated

import msgspec

from drivetrain.core.conversation import Priority, State
from drivetrain.serve.labels import ClassName, PredictionId

SessionId = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z_-]{22}$(?!\n)")]


class ChatRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message. Without a ``session`` a conversation begins; without a ``message`` it begins with the greeting."""

    message: str | None = None
    session: SessionId | None = None


class Cited(msgspec.Struct, frozen=True):
    """A passage that the reply rests on."""

    id: str
    question: str
    title: str
    url: str
    score: float


class Spoken(msgspec.Struct, frozen=True):
    """A line of a transcript: ``who`` is ``person`` or ``service``."""

    at: str
    who: str
    text: str


class Over(msgspec.Struct, frozen=True):
    """Who takes over, and what was said so far, without personal data."""

    queue: str
    priority: Priority
    transcript: list[Spoken]


class ChatAnswer(msgspec.Struct, frozen=True):
    """The reply. ``prediction_id`` names what the model said of the message, where it was asked.

    ``options`` are what the clarifying question offers; ``score`` is the probability of ``intent``.
    """

    session: str
    reply: str
    state: State
    release: str
    citations: list[Cited] = []
    options: list[str] = []
    intent: str | None = None
    score: float | None = None
    prediction_id: str | None = None
    hand_over: Over | None = None


class FeedbackRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a message: whether it was understood, or what it was about in truth."""

    prediction_id: PredictionId
    helpful: bool | None = None
    intent: ClassName | None = None


class FeedbackAnswer(msgspec.Struct, frozen=True):
    """How many outcomes were recorded: none when the truth was not told."""

    recorded: int


class ForgetRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The conversation to delete."""

    session: SessionId


class ForgetAnswer(msgspec.Struct, frozen=True):
    """Whether there was such a conversation."""

    forgotten: bool
