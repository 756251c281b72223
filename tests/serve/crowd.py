"""Many callers at once, each with a connection of their own, who ask one row after another and keep every answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.connect.http.conftest import Peer, post

from drivetrain.testing.graphs import Numbers, as_json, draw, expected_score

from .conftest import Running


@dataclass(frozen=True)
class Told:
    """One answer to one row: by whom, when (``time.monotonic``), and what the good model says of that row."""

    at: float
    status: int
    release: str
    name: str
    score: float
    expected: float
    prediction: str


@dataclass
class Crowd:
    """As a context manager it asks until it is left. ``patient``: a connection that ends is opened again."""

    server: Running
    callers: int = 16
    path: str = "/v1/predict"
    patient: bool = False
    told: list[Told] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for number in range(self.callers):
            rows = draw(50, seed=number)
            self._threads.append(threading.Thread(target=self._ask, args=(number, rows)))
            self._threads[-1].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self._threads)

    def asks(self) -> bool:
        """Whether everybody still asks."""
        return all(thread.is_alive() for thread in self._threads)

    def since(self, at: float, release: str) -> list[Told]:
        """What a release has told since a moment."""
        return [told for told in self.told if told.at >= at and told.release == release]

    def heard(self, release: str, times: int = 1) -> Callable[[], bool]:
        """Whether a release answers from now on."""
        now = time.monotonic()
        return lambda: len(self.since(now, release)) >= times

    def _ask(self, number: int, rows: Numbers) -> None:
        while not self._over.is_set():
            try:
                with Peer(self.server.address) as peer:
                    self._ask_on(peer, number, rows)
                return
            except (OSError, AssertionError) as error:  # the connection ended
                self.failed.append(repr(error))
                if not self.patient:
                    return

    def _ask_on(self, peer: Peer, number: int, rows: Numbers) -> None:
        expected = [expected_score(row) for row in rows]
        written = as_json(rows)
        lines = (f"Authorization: Bearer {self.server.key}", "Content-Type: application/json")
        while True:
            for at, row in enumerate(written):
                if self._over.is_set():
                    return
                name = f"{number}-{at}"
                reply = peer.send(
                    post(self.path, json.dumps({"rows": [{**row, "case": name}]}).encode(), *lines)
                ).reply()
                self._keep(reply.status, reply.body or b"", reply.headers, name, expected[at])

    def _keep(self, status: int, body: bytes, headers: dict[str, str], name: str, expected: float) -> None:
        if status != 200:
            self.failed.append(f"{status} {body.decode()}")
            return
        said = json.loads(body)
        (found,) = said["predictions"]
        assert said["release"] == headers["x-drivetrain-release"]
        at = time.monotonic()
        self.told.append(Told(at, status, said["release"], name, found["score"], expected, found["id"]))


def mixed(told: list[Told], flipped: str) -> list[Told]:
    """Answers whose score is not that of the release that they name."""
    right = [one.expected if one.release != flipped else 1 - one.expected for one in told]
    return [one for one, score in zip(told, right, strict=True) if abs(one.score - score) > 1e-9]


def connected(server: Running) -> bool:
    """Whether somebody answers at the address of a server."""
    with suppress(OSError), Peer(server.address):
        return True
    return False
