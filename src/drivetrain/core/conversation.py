"""How a service talks, as data: what travels inside a Model, made of the section ``chat`` of the project file.

``core.chat`` says what each part is for; the two have the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["open", "asking", "choosing", "handed_over"]
Priority = Literal["low", "normal", "high", "urgent"]
SlotKind = Literal["text", "number", "date", "email", "phone"]


@dataclass(frozen=True)
class Desk:
    """A queue of people, and how soon they are wanted."""

    queue: str
    priority: Priority


@dataclass(frozen=True)
class Slot:
    """Something that has to be known first."""

    ask: str
    kind: SlotKind
    pattern: str | None


@dataclass(frozen=True)
class Intent:
    """What is done about one class of the model."""

    title: str | None
    knowledge: bool
    slots: Mapping[str, Slot]
    say: str | None
    desk: Desk | None


@dataclass(frozen=True)
class SecretPlace:
    """Where a credential lies, never what it is."""

    env: str | None
    file: str | None


@dataclass(frozen=True)
class Generation:
    """Who puts cited passages into a sentence."""

    url: str
    model: str
    key: SecretPlace | None
    seconds: float
    max_tokens: int
    supported: float


@dataclass(frozen=True)
class Limits:
    """What a conversation may take."""

    turns: int
    characters: int
    keep_days: int


@dataclass(frozen=True)
class Phrases:
    """What is said whatever the intent is."""

    greeting: str
    unsure: str
    nothing: str
    hand_over: str
    waiting: str


@dataclass(frozen=True)
class ChatPlan:
    """Everything that a conversation goes by. ``text`` is the input of the model that takes what people write."""

    text: str
    phrases: Phrases
    desk: Desk
    intents: Mapping[str, Intent] = field(default_factory=dict)
    person: tuple[str, ...] = ()
    urgent: tuple[str, ...] = ()
    limits: Limits = field(default_factory=lambda: Limits(40, 2000, 30))
    generation: Generation | None = None


@dataclass(frozen=True)
class Memory:
    """What is remembered between two messages.

    ``intent`` is what it is about, ``query`` what was asked, ``slots`` what was told. While something is asked for,
    ``slot`` names it, or ``choices`` are the intents to choose from; ``missed`` counts answers that were none.
    """

    turns: int = 0
    intent: str = ""
    query: str = ""
    slots: Mapping[str, str] = field(default_factory=dict)
    slot: str = ""
    choices: tuple[str, ...] = ()
    missed: int = 0
    was_unsure: bool = False
    is_urgent: bool = False
    is_over: bool = False

    @property
    def state(self) -> State:
        """In a word."""
        if self.is_over:
            return "handed_over"
        return "asking" if self.slot else "choosing" if self.choices else "open"
