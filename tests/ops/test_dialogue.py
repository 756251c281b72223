"""Whatever people write, a conversation goes on by its plan: it asks, offers, answers, and ends with a person."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.chat import ChatSpec
from drivetrain.core.conversation import ChatPlan, Memory, Slot
from drivetrain.ops.dialogue import Dialogue, Guess, slot_value

SECTION = {
    "text": "message",
    "desk": {"queue": "front"},
    "intents": {
        "card": {"title": "a lost card", "knowledge": False, "desk": {"queue": "cards"}, "slots": {
            "email": {"ask": "Which address?", "kind": "email"}}},
        "invoice": {"knowledge": False, "say": "Invoice {number} is on its way.", "slots": {
            "number": {"ask": "Which number?", "pattern": "[0-9]{4}"}}},
    },
    "urgent": ["stolen"],
    "limits": {"turns": 8},
}  # fmt: skip
PLAN = msgspec.convert(ChatSpec.model_validate(SECTION).model_dump(mode="json"), ChatPlan)
TALK = Dialogue(PLAN)
intents = st.sampled_from(["card", "invoice", "refund"])
guesses = st.builds(Guess, st.tuples(intents, intents), st.booleans())
texts = st.one_of(
    st.text(max_size=30), st.sampled_from(["1", "a lost card", "human", "stolen", "a@b.example", "{email}"])
)


def hear(text, memory=None, guess=None, answer=""):
    memory, move = TALK.hear(memory or Memory(), text, guess)
    return TALK.found(memory, answer, guess) if move.step == "search" else (memory, move)


def test_what_is_sure_and_known_is_answered():
    memory, move = hear("how long", guess=Guess(("refund",), True), answer="14 days")
    assert (memory.intent, memory.state, move.step, move.reply) == ("refund", "open", "answer", "14 days")


def test_a_template_is_filled_once_all_is_told_and_never_by_what_people_write():
    memory, move = hear("where is my invoice", guess=Guess(("invoice",), True))
    assert (memory.state, move.reply) == ("asking", "Which number?")
    memory, move = hear("it is {0.__class__} {number} 1234", memory)
    assert (memory.state, move.reply, memory.slots) == ("open", "Invoice 1234 is on its way.", {})


def test_an_urgent_word_makes_the_hand_over_urgent():
    memory, _ = hear("my card was STOLEN", guess=Guess(("card",), True))
    _, move = hear("a@b.example", memory)
    assert (move.step, move.desk.queue, move.desk.priority) == ("hand_over", "cards", "urgent")


def test_the_clarifying_question_is_asked_once():
    memory, move = hear("?", guess=Guess(("card", "refund"), False))
    assert (move.step, memory.choices) == ("offer", ("card", "refund"))
    assert "a lost card" in move.reply
    memory, move = hear("??", memory, Guess(("card", "refund"), False))
    assert (move.step, move.desk.queue) == ("hand_over", "front")
    chosen, _ = hear("1", Memory(choices=("card", "refund"), query="?"))
    assert chosen.intent == "card"


@given(st.lists(st.tuples(texts, guesses, st.sampled_from(["", "an answer"])), max_size=30))
def test_every_conversation_goes_on_and_ends_with_a_person(messages):
    memory = Memory()
    for text, guess, answer in messages:
        asked = TALK.asks_the_model(memory, text)
        before, (memory, move) = memory, hear(text, memory, guess if asked else None, answer)
        assert move.reply
        assert memory.turns == before.turns + 1
        assert (move.desk is not None) == (move.step == "hand_over")
        assert memory.is_over >= before.is_over
        assert (memory.state == "choosing") == (move.step == "offer")
        assert msgspec.json.decode(msgspec.json.encode(memory), type=Memory) == memory
    assert memory.is_over or memory.turns <= PLAN.limits.turns


@pytest.mark.parametrize(
    ("slot", "text", "value"),
    [
        (Slot("?", "email", None), "write to ann@example.com.", "ann@example.com"),
        (Slot("?", "email", None), "no", ""),
        (Slot("?", "number", None), "about 1,250 m", "1,250"),
        (Slot("?", "date", None), "on 3.11.2026", "3.11.2026"),
        (Slot("?", "phone", None), "call +46 42 10 50 00", "+46 42 10 50 00"),
        (Slot("?", "text", None), "  Storgatan 1 ", "Storgatan 1"),
        (Slot("?", "text", "[A-Z]{2}-[0-9]+"), "it is AB-12", "AB-12"),
    ],
)
def test_slots_are_found_in_sentences(slot, text, value):
    assert slot_value(slot, text) == value
