"""What a conversation does next: pure steps, from what is remembered and heard to what is said and remembered.

A message is first held against what was asked for: a slot, or a choice of two. Else the model says which intent it is,
and the knowledge is searched. When nothing may be cited and the model is not sure, one question clarifies; whoever is
not understood then, asks for a person, or asks what nobody has written down, gets a person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from drivetrain.core.conversation import ChatPlan, Desk, Intent, Memory, Slot, SlotKind
from drivetrain.ops.personal_data import PersonalKind, find, mask

Step = Literal["search", "answer", "ask", "offer", "say", "hand_over", "wait"]
_UNLISTED = Intent(None, True, {}, None, None)
_NUMBER = re.compile(r"-?[0-9]+(?:[.,][0-9]+)*")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}")
_KINDS: Mapping[SlotKind, PersonalKind] = {"email": PersonalKind.EMAIL, "phone": PersonalKind.PHONE}


@dataclass(frozen=True)
class Guess:
    """What the model said of a message: the likeliest intents, the first one first, and whether it is sure of that."""

    intents: tuple[str, ...]
    is_sure: bool


@dataclass(frozen=True)
class Move:
    """What is done. ``reply`` is said; after ``search``, which says nothing, ``Dialogue.found`` goes on."""

    step: Step
    reply: str = ""
    desk: Desk | None = None


Next = tuple[Memory, Move]


class Dialogue:
    """The steps of one plan."""

    def __init__(self, plan: ChatPlan) -> None:
        self._plan = plan
        self._person, self._urgent = _any_of(plan.person), _any_of(plan.urgent)

    def asks_the_model(self, memory: Memory, text: str) -> bool:
        """Whether the model has to say what a message is about."""
        settled = memory.is_over or memory.slot or memory.turns >= self._plan.limits.turns or self._person.search(text)
        return not (settled or self._chosen(memory, text))

    def hear(self, memory: Memory, text: str, guess: Guess | None) -> Next:
        """What a message leads to; ``guess`` is given where ``asks_the_model`` said so."""
        urgent = memory.is_urgent or bool(self._urgent.search(text))
        memory = replace(memory, turns=memory.turns + 1, is_urgent=urgent)
        if memory.is_over:
            return memory, Move("wait", self._plan.phrases.waiting)
        if memory.turns > self._plan.limits.turns:
            return self._hand_over(memory)
        if self._person.search(text):
            return self._leave(replace(memory, choices=(), slot=""))
        if memory.slot:
            return self._fill(memory, text)
        if chosen := self._chosen(memory, text):
            return replace(memory, intent=chosen, choices=()), Move("search")
        assert guess is not None
        sure = guess.intents[0] if guess.is_sure else ""
        heard = replace(memory, intent=sure, query=mask(text), choices=(), was_unsure=bool(memory.choices))
        if sure and not self._intent(sure).knowledge:
            return self._leave(heard)
        return heard, Move("search")

    def found(self, memory: Memory, answer: str, guess: Guess | None) -> Next:
        """What a search leads to: ``answer`` is empty when nothing may be cited."""
        if answer:
            return replace(memory, was_unsure=False), Move("answer", answer)
        if memory.intent or guess is None or memory.was_unsure or len(guess.intents) < 2:
            return self._leave(memory, self._plan.phrases.nothing)
        first, second = guess.intents[:2]
        reply = _filled(self._plan.phrases.unsure, {"first": self.title(first), "second": self.title(second)})
        return replace(memory, choices=(first, second)), Move("offer", reply)

    def title(self, intent: str) -> str:
        """What people call an intent."""
        return self._intent(intent).title or intent.replace("_", " ")

    def _intent(self, name: str) -> Intent:
        return self._plan.intents.get(name, _UNLISTED)

    def _chosen(self, memory: Memory, text: str) -> str:
        """The intent that a message chooses of those that were offered; empty when it is another message."""
        plain = text.strip().casefold().rstrip(".!")
        for number, intent in enumerate(memory.choices, start=1):
            if plain in (str(number), intent.casefold(), self.title(intent).casefold()):
                return intent
        return ""

    def _fill(self, memory: Memory, text: str) -> Next:
        slot = self._intent(memory.intent).slots[memory.slot]
        value = slot_value(slot, text)
        if not value:
            if memory.missed:
                return self._hand_over(replace(memory, slot=""))
            return replace(memory, missed=1), Move("ask", slot.ask)
        return self._leave(replace(memory, slots={**memory.slots, memory.slot: value}, slot="", missed=0))

    def _leave(self, memory: Memory, before: str = "") -> Next:
        """Ask for what is still to be known; then say what the intent says, or hand over."""
        intent = self._intent(memory.intent)
        missing = [name for name in intent.slots if name not in memory.slots]
        if missing:
            return replace(memory, slot=missing[0], missed=0), Move(
                "ask", _joined(before, intent.slots[missing[0]].ask)
            )
        said = _filled(intent.say, memory.slots) if intent.say else ""
        if said and intent.desk is None:
            return replace(memory, slots={}), Move("say", said)
        return self._hand_over(memory, _joined(before, said))

    def _hand_over(self, memory: Memory, before: str = "") -> Next:
        desk = self._intent(memory.intent).desk or self._plan.desk
        if memory.is_urgent:
            desk = replace(desk, priority="urgent")
        over = replace(memory, is_over=True, slot="", choices=())
        return over, Move("hand_over", _joined(before, self._plan.phrases.hand_over), desk)


def slot_value(slot: Slot, text: str) -> str:
    """What an answer says of a slot; empty when it says nothing that fits."""
    if slot.pattern is not None:
        match = re.search(slot.pattern, text)
        return match.group() if match else ""
    if slot.kind == "text":
        return text.strip()
    if slot.kind in _KINDS:
        return next((text[one.start : one.end] for one in find(text) if one.kind is _KINDS[slot.kind]), "")
    match = (_DATE if slot.kind == "date" else _NUMBER).search(text)
    return match.group() if match else ""


def _filled(template: str, values: Mapping[str, str]) -> str:
    """A template with values; what a person wrote is never read as a template."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), template)


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _any_of(words: Sequence[str]) -> re.Pattern[str]:
    """Finds any of some words or phrases in a message; nothing where there are none."""
    if not words:
        return re.compile(r"(?!)")
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE)
