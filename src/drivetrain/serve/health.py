"""Whether the server answers, and who is answering."""

from __future__ import annotations

from typing import Literal

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from drivetrain.serve.answers import Answer
from drivetrain.serve.metrics import Metrics


class Health(msgspec.Struct, frozen=True):
    """The service answers, and with which release."""

    status: Literal["ready"]
    service: str
    release: str


class Fixed:
    """An endpoint that always gives the same answer."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __call__(self, caller: str, body: bytes, query: str) -> Answer:
        """The answer."""
        return self._answer


class MetricsPage:
    """The metrics of this process, in the text format of Prometheus."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(self, caller: str, body: bytes, query: str) -> Answer:
        """The metrics now."""
        return Answer(200, [("content-type", CONTENT_TYPE_LATEST)], self._metrics.text())
