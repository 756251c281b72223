"""Work beside the loop, so that whoever wants a score does not wait for it; and the answer that comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.core.errors import DrivetrainError
from drivetrain.serve.answers import Overloaded, refusal
from drivetrain.serve.door import defect

T = TypeVar("T")
P = ParamSpec("P")


class Beside:
    """A thread beside the loop for what takes milliseconds."""

    def __init__(self, most: int) -> None:
        """At most ``most`` may wait."""
        self._most = most
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, "beside")

    async def do(self, work: Callable[[], T]) -> T:
        """What ``work`` gives. Raises Overloaded when too many wait, and what it raises."""
        if self._waiting >= self._most:
            raise Overloaded
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let nobody wait any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def answer_later(
    exchange: Exchange, work: Callable[P, Awaitable[Answer | None]], *args: P.args, **more: P.kwargs
) -> None:
    """Answer with what ``work`` gives, or with the error that it raises; None: somebody else will answer."""

    async def answer() -> None:
        try:
            told = await work(*args, **more)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, nobody may wait for ever; the door tells it
            told = failure(error)
        if told is not None:
            exchange.answer(told)

    exchange.run(answer())


def failure(error: Exception, *, inference: bool = False) -> Answer:
    """The answer to a request that came to nothing."""
    if isinstance(error, DrivetrainError):
        return refusal(error, inference=inference)
    return defect(error, inference=inference)
