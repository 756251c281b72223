"""What arrives in one turn of the loop is scored together, and recorded before anybody hears of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.serve.answers import Overloaded
from drivetrain.serve.contender import Contender
from drivetrain.serve.counts import Counts
from drivetrain.serve.identity import PredictionIds
from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.pulse import Pulse
from drivetrain.serve.rows import RowForm, Rows
from drivetrain.serve.scoring import SLICE, Request, Scored, Scoring
from drivetrain.serve.settings import ServiceSettings
from drivetrain.store.models import open_scorer
from drivetrain.store.segments import PredictionLog, read_header, read_predictions, segments
from drivetrain.testing.graphs import NO_SCORE, TYPICAL, expected_score, slow

UNSCORABLE = [25.0, 10 * NO_SCORE, 0.0, 1.0, 0.0, 0.0]


class Asked(Request):
    """Rows, and who waits for what becomes of them."""

    def __init__(self, rows: list[list[float]], caller: str) -> None:
        self.rows = Rows(np.array(rows).tobytes(), [b"e"] * len(rows), False)
        self.caller = caller
        self.heard: asyncio.Future[Scored] = asyncio.get_running_loop().create_future()

    def read(self, form: RowForm) -> Rows:
        return self.rows

    def tell(self, result: Scored | Exception) -> None:
        if isinstance(result, Exception):
            self.heard.set_exception(result)
        else:
            self.heard.set_result(result)


class Bench:
    """A queue in front of a release, with a journal of its own."""

    def __init__(self, release: LoadedRelease, folder: Path, **settings: float) -> None:
        self.folder = folder / "journal"
        self.counts = Counts()
        self.pulse = Pulse()
        log = PredictionLog(self.folder, release.ref, release.signature)
        self.contender = Contender(release, log, PredictionIds(), self.pulse, 7)
        told = ServiceSettings(folder, "loans", **settings)  # type: ignore[arg-type]  # whichever a test names
        self.scoring = Scoring(self.contender, told, self.counts)

    def submit(
        self, *rows: list[float], caller: str = "shop", patience: float = 60, long: bool = False
    ) -> asyncio.Future[Scored]:
        request = Asked(list(rows), caller)
        request.late = time.perf_counter() + patience
        request.long = long
        self.scoring.submit(request)
        return request.heard

    def recorded(self) -> np.ndarray:
        found = []
        for segment in segments(self.folder, "predictions"):
            header, start = read_header(segment.path) or pytest.fail("no header")
            found.append(read_predictions(segment.path, header, start))
        return np.concatenate(found)

    @property
    def waits(self) -> bool:
        return bool(self.scoring.waiting_rows or self.scoring.waiting_requests)


def people(count: int, first: int = 18) -> list[list[float]]:
    return [[float(age), *TYPICAL[1:]] for age in range(first, first + count)]


Run = Callable[..., None]


@pytest.fixture
def run(loaded: LoadedRelease, tmp_path: Path) -> Run:
    """Runs the steps of a test with a bench that has these settings; nothing waits when they are over."""

    def run(steps: Callable[[Bench], Awaitable[None]], release: LoadedRelease = loaded, **settings: float) -> None:
        async def all_steps() -> None:
            bench = Bench(release, tmp_path, **settings)
            await steps(bench)
            assert not bench.waits
            assert bench.pulse.scoring == 0

        asyncio.run(asyncio.wait_for(all_steps(), 30))

    return run


def test_requests_of_one_turn_are_scored_in_one_go(run: Run) -> None:
    async def steps(bench: Bench) -> None:
        before = time.time_ns() // 1000
        rows = people(70)
        asked = bench.submit(*rows[:3]), bench.submit(rows[3], caller="bank"), bench.submit(*rows[4:])
        answers = await asyncio.gather(*asked)
        assert [len(answer.ids) for answer in answers] == [3, 1, 66]
        scores = [score for answer in answers for score in answer.scores]
        assert scores == pytest.approx([expected_score(row) for row in rows], abs=1e-12)
        assert [one for answer in answers for one in answer.decisions] == [score >= 0.5 for score in scores]
        assert {answer.release for answer in answers} == {bench.contender.name}
        positive = sum(score >= 0.5 for score in scores)
        assert bench.counts.events["turns"] == 1
        assert bench.counts.predictions == {
            (bench.contender.name, True): positive, (bench.contender.name, False): 70 - positive
        }  # fmt: skip
        found = bench.recorded()
        assert found["id"].tolist() == [name.encode() for answer in answers for name in answer.ids]
        assert found["row"].tolist() == rows
        assert found["caller"].tolist() == [0] * 3 + [1] + [0] * 66
        assert before <= found["at"][0] <= time.time_ns() // 1000

    run(steps)


def test_a_turn_gives_every_row_the_score_it_has_alone(run: Run) -> None:
    async def steps(bench: Bench) -> None:
        rows = people(45)
        together = await bench.submit(*rows)
        alone = [(await bench.submit(row)).scores[0] for row in rows]
        assert together.scores == pytest.approx(alone, abs=1e-12)
        assert bench.counts.events["turns"] == 46

    run(steps)


def test_a_row_without_a_score_fails_its_own_request_only(run: Run) -> None:
    async def steps(bench: Bench) -> None:
        good, other = people(1)[0], people(1, 50)[0]
        futures = bench.submit(good), bench.submit(other, UNSCORABLE), bench.submit(other)
        first, refused, last = await asyncio.gather(*futures, return_exceptions=True)
        assert isinstance(refused, InvalidInput)
        assert (refused.code, refused.where) == ("row_unscorable", "rows[1]")
        assert isinstance(first, Scored)
        assert isinstance(last, Scored)
        assert bench.recorded()["row"].tolist() == [good, other]

    run(steps)


def test_a_long_request_is_sliced_and_does_not_hold_up_short_ones(run: Run) -> None:
    async def steps(bench: Bench) -> None:
        rows = people(SLICE * 3 + 7)
        long = bench.submit(*rows)
        await bench.submit(rows[0])
        assert not long.done()
        answer = await long
        assert answer.scores == pytest.approx([expected_score(row) for row in rows], abs=1e-12)
        assert len(bench.recorded()) == len(rows) + 1

    run(steps)


def test_a_row_without_a_score_in_a_late_slice_is_named(run: Run) -> None:
    async def steps(bench: Bench) -> None:
        with pytest.raises(InvalidInput) as caught:
            await bench.submit(*people(SLICE * 2), UNSCORABLE)
        assert caught.value.where == f"rows[{SLICE * 2}]"
        assert not list(segments(bench.folder, "predictions"))

    run(steps)


def test_an_answer_that_cannot_be_recorded_is_not_given(run: Run) -> None:
    async def steps(bench: Bench) -> None:
        bench.folder.write_bytes(b"not a folder")
        with pytest.raises(Transient, match="cannot be written"):
            await bench.submit(*people(2))
        assert not bench.counts.predictions
        bench.folder.unlink()
        assert len((await bench.submit(*people(2))).ids) == 2

    run(steps)


def test_more_rows_than_may_wait_are_refused_at_once(run: Run) -> None:
    async def steps(bench: Bench) -> None:
        waiting = bench.submit(*people(4))
        with pytest.raises(Overloaded) as caught:
            bench.submit(*people(2))
        assert (caught.value.code, caught.value.seconds) == ("overloaded", 1)
        assert bench.counts.events["overloaded"] == 1
        assert len((await waiting).ids) == 4
        assert len((await bench.submit(*people(5))).ids) == 5

    run(steps, max_waiting_rows=5)


def test_more_requests_than_may_wait_are_known_before_they_are_read(run: Run) -> None:
    async def steps(bench: Bench) -> None:
        waiting = [bench.submit(*people(1)) for _ in range(3)]
        assert bench.scoring.full
        await asyncio.gather(*waiting)
        assert not bench.scoring.full

    run(steps, max_waiting_requests=3)


def test_what_would_wait_longer_than_anybody_does_is_refused(run: Run, loaded: LoadedRelease) -> None:
    async def steps(bench: Bench) -> None:
        for _ in range(3):
            await bench.submit(*people(20))
        waiting = bench.submit(*people(SLICE))
        assert bench.scoring.full
        assert not bench.scoring.has_room(1)
        await waiting
        assert not bench.scoring.full

    scorer = open_scorer(slow(2000))
    run(steps, replace(loaded, scorer=scorer), deadline_seconds=0.0005)


def test_what_is_long_lets_short_requests_in(run: Run, loaded: LoadedRelease) -> None:
    async def steps(bench: Bench) -> None:
        for _ in range(40):
            await bench.submit(*people(1))
        while bench.scoring.usual_seconds(1 + SLICE) > 0.9:  # the machine stood still for a moment
            await bench.submit(*people(1))
        assert bench.scoring.usual_seconds(SLICE * 20) > 1
        long = bench.submit(*people(SLICE * 20)), bench.submit(*people(100), long=True)
        assert not bench.scoring.full
        assert bench.scoring.waiting_rows == SLICE * 20 + 100
        assert len((await bench.submit(*people(1))).ids) == 1
        assert [len(answer.ids) for answer in await asyncio.gather(*long)] == [SLICE * 20, 100]

    run(steps, replace(loaded, scorer=open_scorer(slow(200))))


def test_who_waited_too_long_is_told_and_not_scored(run: Run) -> None:
    async def steps(bench: Bench) -> None:
        asked = bench.submit(*people(1), patience=0), bench.submit(*people(1)), bench.submit(*people(1000), patience=0)
        late, in_time, long = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(late, Transient)
        assert isinstance(long, Transient)
        assert late.code == long.code == "deadline_passed"
        assert isinstance(in_time, Scored)
        assert bench.counts.events["late"] == 2
        assert len(bench.recorded()) == 1

    run(steps)


def test_a_defect_fails_its_turn_only_and_the_release_is_not_blamed_later(run: Run, loaded: LoadedRelease) -> None:
    class Failing:
        processes, broken, calls = 0, False, 0

        def score(self, rows: np.ndarray) -> np.ndarray:
            self.calls += 1
            if self.calls == 1:
                raise ZeroDivisionError("a defect")
            return np.full(len(rows), 0.25)

        def close(self) -> None:
            pass

    async def steps(bench: Bench) -> None:
        failed = await asyncio.gather(bench.submit(*people(1)), bench.submit(*people(2)), return_exceptions=True)
        assert [type(error) for error in failed] == [ZeroDivisionError] * 2
        assert bench.pulse.scoring == 0
        assert (await bench.submit(*people(1))).scores == [0.25]

    run(steps, replace(loaded, scorer=Failing()))


def test_copies_hear_after_the_caller_and_once(run: Run) -> None:
    async def steps(bench: Bench) -> None:
        heard: list[tuple[bool, object]] = []
        request = Asked(people(1), "shop")
        request.copies = [lambda one, result: heard.append((one.heard.done(), result))]  # type: ignore[attr-defined]  # it is ours
        bench.scoring.submit(request)
        answer = await request.heard
        request.end(answer)
        assert heard == [(True, answer)]

    run(steps)


def test_a_release_that_is_let_go_answers_first_what_waits_for_it(run: Run) -> None:
    async def steps(bench: Bench) -> None:
        waiting = bench.submit(*people(3)), bench.submit(*people(SLICE * 2))
        bench.scoring.retire()
        assert [len(answer.ids) for answer in await asyncio.gather(*waiting)] == [3, SLICE * 2]
        assert all(segment.closed for segment in segments(bench.folder, "predictions"))

    run(steps)
