"""What arrives in one turn of the loop is scored together, and recorded before anybody hears of it."""

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path

import numpy as np
import pytest

from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.metrics import Metrics
from drivetrain.serve.scoring import SLICE, Scored, Scoring
from drivetrain.store.segments import PredictionLog, read_header, read_predictions, segments

from .conftest import TYPICAL, expected_score

UNSCORABLE = [25.0, 1e10, 0.0, 1.0, 0.0, 0.0]


class Bench:
    """A queue in front of a release, with a journal of its own."""

    def __init__(self, release: LoadedRelease, folder: Path, limit: int = 10_000) -> None:
        self.folder = folder
        self.metrics = Metrics({})
        self.log = PredictionLog(folder, release.ref, release.signature)
        self.scoring = Scoring(release, self.log, self.metrics, limit)

    def submit(self, *rows: list[float], caller: str = "shop") -> asyncio.Future[Scored]:
        return self.scoring.submit(np.array(rows).tobytes(), [b"e"] * len(rows), caller)

    def recorded(self) -> np.ndarray:
        (segment,) = segments(self.folder, "predictions")
        header, start = read_header(segment.path) or pytest.fail("no header")
        return read_predictions(segment.path, header, start)


def people(count: int, first: int = 18) -> list[list[float]]:
    return [[float(age), *TYPICAL[1:]] for age in range(first, first + count)]


def run(steps: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(steps, 30))


def test_requests_of_one_turn_are_scored_in_one_go(loaded: LoadedRelease, tmp_path: Path) -> None:
    async def steps() -> None:
        bench = Bench(loaded, tmp_path)
        before = time.time_ns() // 1000
        rows = people(70)
        answers = await asyncio.gather(bench.submit(*rows[:3]), bench.submit(rows[3]), bench.submit(*rows[4:]))
        assert [len(answer.ids) for answer in answers] == [3, 1, 66]
        scores = [score for answer in answers for score in answer.scores]
        assert scores == pytest.approx([expected_score(row) for row in rows], abs=1e-12)
        assert [one for answer in answers for one in answer.decisions] == [score >= 0.5 for score in scores]
        assert bench.metrics.turns == 1
        found = bench.recorded()
        assert found["id"].tolist() == [name.encode() for answer in answers for name in answer.ids]
        assert found["row"].tolist() == rows
        assert before <= found["at"][0] <= time.time_ns() // 1000
        assert bench.scoring.waiting_rows == 0

    run(steps())


def test_a_turn_gives_every_row_the_score_it_has_alone(loaded: LoadedRelease, tmp_path: Path) -> None:
    async def steps() -> None:
        bench = Bench(loaded, tmp_path)
        rows = people(45)
        together = await bench.submit(*rows)
        alone = [(await bench.submit(row)).scores[0] for row in rows]
        assert together.scores == pytest.approx(alone, abs=1e-12)

    run(steps())


def test_a_row_without_a_score_fails_its_own_request_only(loaded: LoadedRelease, tmp_path: Path) -> None:
    async def steps() -> None:
        bench = Bench(loaded, tmp_path)
        good, bad, other = people(1)[0], UNSCORABLE, people(1, 50)[0]
        futures = bench.submit(good), bench.submit(other, bad), bench.submit(other)
        first, refused, last = await asyncio.gather(*futures, return_exceptions=True)
        assert isinstance(refused, InvalidInput)
        assert (refused.code, refused.where) == ("row_unscorable", "rows[1]")
        assert isinstance(first, Scored)
        assert isinstance(last, Scored)
        assert bench.recorded()["row"].tolist() == [good, other]
        assert bench.scoring.waiting_rows == 0

    run(steps())


def test_a_long_request_is_sliced_and_does_not_hold_up_short_ones(loaded: LoadedRelease, tmp_path: Path) -> None:
    async def steps() -> None:
        bench = Bench(loaded, tmp_path)
        rows = people(SLICE * 3 + 7)
        long = bench.submit(*rows)
        await bench.submit(rows[0])
        assert not long.done()
        answer = await long
        assert answer.scores == pytest.approx([expected_score(row) for row in rows], abs=1e-12)
        assert len(bench.recorded()) == len(rows) + 1
        assert bench.scoring.waiting_rows == 0

    run(steps())


def test_an_answer_that_cannot_be_recorded_is_not_given(loaded: LoadedRelease, tmp_path: Path) -> None:
    async def steps() -> None:
        folder = tmp_path / "journal"
        folder.write_bytes(b"not a folder")
        bench = Bench(loaded, folder)
        with pytest.raises(Transient, match="cannot be written"):
            await bench.submit(*people(2))
        folder.unlink()
        assert len((await bench.submit(*people(2))).ids) == 2
        assert bench.scoring.waiting_rows == 0

    run(steps())


def test_more_rows_than_may_wait_are_refused_at_once(loaded: LoadedRelease, tmp_path: Path) -> None:
    async def steps() -> None:
        bench = Bench(loaded, tmp_path, limit=5)
        waiting = bench.submit(*people(4))
        with pytest.raises(Transient) as caught:
            bench.submit(*people(2))
        assert caught.value.code == "overloaded"
        assert len((await waiting).ids) == 4
        assert len((await bench.submit(*people(5))).ids) == 5

    run(steps())


def test_callers_who_went_away_leave_no_trace_in_the_queue(loaded: LoadedRelease, tmp_path: Path) -> None:
    async def steps() -> None:
        bench = Bench(loaded, tmp_path)
        gone, staying = bench.submit(*people(1)), bench.submit(*people(1))
        gone.cancel()
        assert len((await staying).ids) == 1
        assert bench.scoring.waiting_rows == 0

    run(steps())
