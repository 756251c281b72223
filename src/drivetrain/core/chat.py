"""How the service talks with people: section ``chat`` of the project file."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from drivetrain.core.conversation import Priority, SlotKind
from drivetrain.core.credentials import SecretRef
from drivetrain.core.spec import Name, Share, Spec

Said = Annotated[str, Field(min_length=1, max_length=2000)]
_SLOT = re.compile(r"\{(\w+)\}")


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"this is no regular expression: {error}") from None
    return text


class DeskSpec(Spec):
    """People who take over: their queue, and how soon."""

    queue: Name
    priority: Priority = "normal"


class SlotSpec(Spec):
    """Something that has to be known before it goes on."""

    ask: Said = Field(description="The question.")
    kind: SlotKind = Field(
        "text", description="How an answer looks. An e-mail address or a number may stand in a sentence."
    )
    pattern: Annotated[str, AfterValidator(_pattern)] | None = Field(
        None, description="A regular expression that is searched in the answer, instead of `kind`."
    )


class IntentSpec(Spec):
    """What is done about one class of the model."""

    title: Said | None = Field(None, description="What people call it, in the clarifying question; else its name.")
    knowledge: bool = Field(True, description="Answer from the knowledge, if a passage may be cited.")
    slots: dict[Name, SlotSpec] = Field(
        default_factory=dict, description="Asked in turn before `say`, and before a person takes over."
    )
    say: Said | None = Field(None, description="What is said when no passage answers; `{slot}` stands for its value.")
    desk: DeskSpec | None = Field(
        None, description="Who takes over. Without it, and without `say`, that is `chat.desk`."
    )

    @model_validator(mode="after")
    def _says_what_it_knows(self) -> Self:
        unknown = [name for name in _SLOT.findall(self.say or "") if name not in self.slots]
        if unknown:
            raise ValueError(f"`say` names {unknown[0]!r}, which is none of `slots`")
        return self


class GenerationSpec(Spec):
    """A language model behind an OpenAI-compatible address that words answers; it gets cited passages, and no tools."""

    url: Annotated[str, Field(pattern=r"^https?://[^@\s?#]+$")] = Field(
        description="The address up to `/chat/completions`: `https://models.example/v1`."
    )
    model: str
    key: SecretRef | None = None
    seconds: Annotated[float, Field(gt=0, le=120)] = Field(20.0, description="Then the passage itself is said.")
    max_tokens: Annotated[int, Field(ge=1, le=4096)] = 300
    supported: Share = Field(
        0.7, description="Share of an answer's words that must stand in the passages; else the passage itself is said."
    )


class ChatLimits(Spec):
    """What a conversation may take."""

    turns: Annotated[int, Field(ge=1, le=1000)] = Field(40, description="Messages; then a person takes over.")
    characters: Annotated[int, Field(ge=1, le=20_000)] = Field(2_000, description="In one message.")
    keep_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        30, description="So long after its last message a conversation is deleted, with what was handed over."
    )


class PhrasesSpec(Spec):
    """What is said whatever the intent is."""

    greeting: Said = "Hello! What can I do for you?"
    unsure: Said = Field(
        "I am not sure that I understand. Is it about {first}, or about {second}?",
        description="Asked once; `{first}` and `{second}` are the titles of the likeliest intents.",
    )
    nothing: Said = Field("I found nothing that answers this.", description="Before a person takes over.")
    hand_over: Said = "I am handing this over to a colleague, with what you have written."
    waiting: Said = "A colleague has your messages and will answer."


class ChatSpec(Spec):
    """A conversation: each message is classified by the model, answered from the knowledge, or handed over."""

    text: Name = Field(description="The one of `features.texts` that takes what people write.")
    phrases: PhrasesSpec = PhrasesSpec()
    desk: DeskSpec = Field(DeskSpec(queue="support"), description="Who takes over where nothing else says who.")
    intents: dict[str, IntentSpec] = Field(
        default_factory=dict, description="By the classes of the label; others are answered from the knowledge."
    )
    person: tuple[str, ...] = Field(
        ("human", "agent", "real person", "somebody real", "does not help", "did not help"),
        description="Whoever writes one of these words gets a person.",
    )
    urgent: tuple[str, ...] = Field((), description="Words that make a hand-over urgent.")
    limits: ChatLimits = ChatLimits()
    generation: GenerationSpec | None = None
