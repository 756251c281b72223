"""Work beside the loop: only so much may wait, and whatever goes wrong is told."""

import asyncio
from collections.abc import Awaitable, Callable
from threading import Event
from typing import cast

import pytest

from drivetrain.connect.http.messages import Answer, Channel, Exchange, Head
from drivetrain.serve.answers import Overloaded
from drivetrain.serve.beside import Beside, answer_later


def test_only_so_much_may_wait() -> None:
    async def ask() -> tuple[int, list[type[BaseException]]]:
        beside, go = Beside(2), Event()
        waiting = [asyncio.create_task(beside.do(go.wait)) for _ in range(3)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)  # the third is refused while two wait
        go.set()
        told = await asyncio.gather(*waiting, return_exceptions=True)
        again = await beside.do(lambda: 7)
        beside.close()
        return again, [type(one) for one in told if isinstance(one, BaseException)]

    assert asyncio.run(ask()) == (7, [Overloaded])


def test_what_work_raises_is_raised() -> None:
    async def ask() -> None:
        beside = Beside(1)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await beside.do(lambda: 1 // 0)
        beside.close()

    asyncio.run(ask())


class Wire:
    """Where an exchange sends its answer to."""

    def __init__(self) -> None:
        self.sent: list[Answer] = []

    def send(self, exchange: Exchange, answer: Answer) -> None:
        self.sent.append(answer)


def told(work: Callable[[], Awaitable[Answer | None]]) -> list[int]:
    """The status of each answer that comes of some work."""

    async def ask() -> list[int]:
        wire = Wire()
        exchange = Exchange(cast(Channel, wire), cast(Head, None), 0.0)
        answer_later(exchange, work)
        assert exchange.task is not None
        await exchange.task
        return [answer.status for answer in wire.sent]

    return asyncio.run(ask())


def test_whatever_goes_wrong_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    async def answers() -> Answer:
        return Answer(200, (), b"")

    async def leaves_it_to_somebody_else() -> None:
        return None

    async def is_too_much() -> Answer:
        raise Overloaded

    async def is_broken() -> Answer:
        raise KeyError("a defect")

    assert [told(work) for work in (answers, leaves_it_to_somebody_else, is_too_much, is_broken)] == [
        [200], [], [503], [500],
    ]  # fmt: skip
    assert "a defect" in capsys.readouterr().err
