"""What the endpoints of a conversation share: where it is kept, who words answers, and what is done beside the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from drivetrain.core.conversation import Generation
from drivetrain.core.errors import Transient
from drivetrain.core.passages import Passage
from drivetrain.serve.beside import Beside
from drivetrain.serve.sections import missing
from drivetrain.serve.service import Service
from drivetrain.store.conversations import FILE, Conversations

if TYPE_CHECKING:
    from drivetrain.serve.generation import Writer

T = TypeVar("T")
_SWEEP_SECONDS = 3600.0
_WRITING = 8
"""Answers that wait to be worded at most; for the others the passage itself is the answer."""


class Desk:
    """The conversations of one service in one worker."""

    def __init__(self, service: Service, beside: Beside) -> None:
        self.service = service
        self.beside = beside
        self._kept: Conversations | None = None
        self._writing = Beside(_WRITING)
        self._writers: dict[Generation, Writer] = {}
        self._sweep_at = 0.0

    def check(self) -> None:
        """Raise NotFound where nobody talks, and nobody ever did."""
        if not (self.service.journal / FILE).exists():
            release = self.service.standing().champion.contender.release
            if release.chat is None:
                raise missing("chat", str(release.ref))

    async def do(self, work: Callable[[Conversations], T]) -> T:
        """What ``work`` makes of the conversations, beside the loop. Raises Overloaded, and what it raises."""
        return await self.beside.do(lambda: work(self._open()))

    async def write(self, plan: Generation | None, message: str, passages: Sequence[Passage]) -> str:
        """An answer in words that the passages support; empty where nobody writes, or nobody has the time."""
        if plan is None:
            return ""
        try:
            return await self._writing.do(lambda: self._writer(plan).write(message, passages))
        except Transient:
            return ""

    async def sweep(self, days: int) -> None:
        """Now and then delete the conversations that nobody has gone on with for so long."""
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + _SWEEP_SECONDS
            await self.do(lambda kept: kept.forget_old(days))

    def count(self, handed_over: bool) -> None:
        """Count a turn."""
        self.service.counts.happened("chats")
        if handed_over:
            self.service.counts.happened("chats_handed_over")

    def _open(self) -> Conversations:
        """In the one thread beside the loop."""
        if self._kept is None:
            self._kept = Conversations(self.service.journal)
        return self._kept

    def _writer(self, plan: Generation) -> Writer:
        if plan not in self._writers:
            from drivetrain.serve.generation import Writer

            environment = self.service.surroundings.environment
            self._writers[plan] = Writer(plan, environment, self.service.settings.home)
        return self._writers[plan]
