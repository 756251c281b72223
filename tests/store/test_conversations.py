"""Turns are whole or absent, in order, kept for their caller, and gone once they are forgotten."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from drivetrain.core.conversation import Memory
from drivetrain.core.errors import NotFound, Transient
from drivetrain.store.conversations import Conversations, HandOver, Turn

OVER = HandOver("front", "low", "card", "help", {"email": "a@b.example"}, "widget", "release/desk@1", "p1")
HELLO = Turn("a word nobody else writes", "Hello.", "p1", "card")


@pytest.fixture
def kept(tmp_path):
    opened = Conversations(tmp_path)
    yield opened
    opened.close()


def test_what_was_said_comes_back(kept):
    memory = Memory(turns=1, slots={"email": "x"}, choices=("a", "b"))
    kept.add("s1", "widget", memory, HELLO, None)
    kept.add("s1", "widget", replace(memory, turns=2), Turn("and?", "Bye."), OVER)
    assert kept.memory("s1", "widget") == replace(memory, turns=2)
    assert [(line.who, line.text) for line in kept.transcript("s1")] == [
        ("person", HELLO.message), ("service", "Hello."), ("person", "and?"), ("service", "Bye."),
    ]  # fmt: skip
    (handed,) = kept.handed_over()
    assert (handed.number, handed.session, handed.hand_over, len(handed.transcript)) == (1, "s1", OVER, 4)
    assert kept.intent("p1") == "card"


def test_another_caller_and_an_unknown_prediction_find_nothing(kept):
    kept.add("s1", "widget", Memory(turns=1), Turn("hi", "Hello."), None)
    for session, caller in (("s1", "other"), ("s2", "widget")):
        with pytest.raises(NotFound):
            kept.memory(session, caller)
    with pytest.raises(Transient):
        kept.add("s1", "other", Memory(turns=2), HELLO, None)
    with pytest.raises(NotFound):
        kept.intent("")


def test_of_two_messages_at_once_one_is_taken(kept, tmp_path):
    kept.add("s1", "widget", Memory(turns=1), HELLO, None)

    def add(number):
        other = Conversations(tmp_path)
        try:
            other.add("s1", "widget", Memory(turns=2), Turn(str(number), "ok"), OVER)
        except Transient:
            return False
        finally:
            other.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(add, range(4))) == 1
    assert len(kept.handed_over()) == 1


def test_what_is_forgotten_is_gone_from_the_file_too(kept, tmp_path):
    kept.add("s1", "widget", Memory(turns=1), HELLO, OVER)
    kept.add("s2", "widget", Memory(turns=1), Turn("mine stays", "Hello."), None)
    assert (kept.forget("s1"), kept.forget("s1")) == (True, False)
    assert kept.handed_over() == ()
    assert kept.transcript("s1") == ()
    assert kept.forget_old(days=1) == 0
    kept.close()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"nobody else" not in content
    assert b"mine stays" in content
