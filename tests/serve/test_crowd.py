"""More than can be answered: who is told when, and what becomes of the queue."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

from hypothesis import given
from hypothesis import strategies as st

from drivetrain.serve.contender import Contender
from drivetrain.serve.counts import Counts
from drivetrain.serve.crowd import PAUSE_SECONDS, Crowd
from drivetrain.serve.identity import PredictionIds
from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.pulse import Pulse
from drivetrain.serve.scoring import Scoring
from drivetrain.serve.settings import ServiceSettings
from drivetrain.store.segments import PredictionLog
from drivetrain.testing.graphs import ROW, slow
from drivetrain.testing.releases import ReleaseMaker

from .conftest import Running, Start, until


def test_a_few_are_told_at_once_and_the_others_a_moment_later():
    crowd = Crowd()
    pauses = [crowd.send_away(100.0) for _ in range(60)]
    assert pauses == [0.0] * 40 + [PAUSE_SECONDS] * 20
    assert crowd.send_away(100.5) == 0.0


def test_its_size_is_how_many_ask_again_when_told_and_is_soon_forgotten():
    crowd = Crowd()
    assert crowd.size(100.0) == 0
    for number in range(400):
        crowd.send_away(100.0 + number * 0.001)
    assert crowd.size(100.39) == crowd.size(100.79) == 100, "400 in 0.4 s, each back after 0.1 s"
    assert crowd.size(101.21) == 0


@given(st.lists(st.floats(0, 5), max_size=300))
def test_nobody_is_told_later_than_a_moment_and_the_size_is_none_or_some(gaps):
    crowd, now = Crowd(), 0.0
    for gap in gaps:
        now += gap
        assert crowd.send_away(now) in (0.0, PAUSE_SECONDS)
        assert 0 <= crowd.size(now) <= len(gaps)


def test_a_queue_is_kept_short_while_more_ask_than_it_holds(loaded: LoadedRelease, tmp_path: Path):
    async def steps() -> None:
        crowd = Crowd()
        scoring = queue(loaded, tmp_path, crowd)
        scoring.waiting_requests = 63
        assert not scoring.full, "a burst may fill it"
        scoring.waiting_requests = 64
        assert scoring.full
        now = time.perf_counter()
        for _ in range(1000):
            crowd.send_away(now)
        for waiting, full in ((0, False), (4, False), (7, False), (8, True), (63, True)):
            scoring.waiting_requests = waiting
            assert scoring.full is full
        scoring.waiting_requests = 5
        scoring._pace.learn(1, 1.0)
        scoring.waiting_rows = 500
        assert scoring.full, "what takes longer than ten milliseconds"
        scoring.waiting_requests = 4
        assert not scoring.full, "some may always wait, whatever they take"

    asyncio.run(steps())


def queue(loaded: LoadedRelease, folder: Path, crowd: Crowd) -> Scoring:
    log = PredictionLog(folder / "journal", loaded.ref, loaded.signature)
    contender = Contender(loaded, log, PredictionIds(), Pulse(), 1)
    settings = ServiceSettings(folder, "loans", max_waiting_requests=64, deadline_seconds=100.0)
    return Scoring(contender, settings, Counts(), crowd)


CALLERS, SECONDS = 48, 1.5


def test_callers_who_ask_again_at_once_do_not_take_the_time_of_those_who_are_answered(
    maker: ReleaseMaker, start: Start
):
    """Three times as many as the queue holds, none of whom heeds Retry-After."""
    maker.deploy(maker.release(slow(2000)))
    server = start(max_waiting_requests=16)
    answers = [one for found in together(server) for one in found]
    assert {status for status, _ in answers} == {200, 503}
    refused = [advice for status, advice in answers if status == 503]
    assert set(refused) == {"1"}
    at_once = 40 * (SECONDS / 0.4 + 2)
    assert len(refused) <= at_once + CALLERS * (SECONDS / PAUSE_SECONDS + 2)
    assert len(answers) - len(refused) > CALLERS
    until(lambda: server.predict(ROW).status_code == 200, seconds=1.0)


def together(server: Running) -> list[list[tuple[int, str | None]]]:
    """Status and Retry-After of every answer, by caller."""
    begin = Barrier(CALLERS)
    body = json.dumps({"rows": [ROW]})

    def ask() -> list[tuple[int, str | None]]:
        found = []
        with closing(http.client.HTTPConnection(*server.address, timeout=20)) as connection:
            connection.connect()
            begin.wait()
            over = time.perf_counter() + SECONDS
            while time.perf_counter() < over:
                connection.request("POST", "/v1/predict", body, {"X-API-Key": server.key})
                answer = connection.getresponse()
                answer.read()
                found.append((answer.status, answer.getheader("retry-after")))
        return found

    with ThreadPoolExecutor(CALLERS) as pool:
        return [asked.result() for asked in [pool.submit(ask) for _ in range(CALLERS)]]
