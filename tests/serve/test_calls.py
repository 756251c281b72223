"""The queue in front of a model that runs in processes of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from drivetrain.core.errors import DrivetrainError, InvalidInput, Transient
from drivetrain.core.refs import Ref
from drivetrain.ops.live import LiveCounts
from drivetrain.ops.saying import Saying
from drivetrain.serve.calls import Calls
from drivetrain.serve.contender import Contender
from drivetrain.serve.counts import Counts
from drivetrain.serve.identity import PredictionIds
from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.pulse import Pulse
from drivetrain.serve.rows import RowForm, Rows
from drivetrain.serve.scoring import SLICE, Request, Scored
from drivetrain.serve.settings import ServiceSettings
from drivetrain.store.models import open_scorer
from drivetrain.store.segments import PredictionLog, read_header, read_predictions, segments
from drivetrain.testing.code_models import code_model
from drivetrain.testing.graphs import TYPICAL

from .conftest import until

FAILS, LEAVES, WAITS = 104.0, 103.0, 108.0
SOURCE = """\
import os, pathlib, time

def score(columns):
    ages = columns["age"]
    with open("calls", "a") as file:
        file.write(f"{len(ages)}\\n")
    if (ages == 104).any():
        raise ValueError
    if (ages == 103).any():
        os._exit(3)
    while (ages == 108).any() and not os.path.exists("go"):
        time.sleep(0.002)
    return ages / 200
"""


class Asked(Request):
    """Rows of these ages, and what became of them."""

    def __init__(self, ages: list[float], long: bool) -> None:
        rows = np.array([[age, *TYPICAL[1:]] for age in ages])
        self.rows, self.long = Rows(rows.tobytes(), [b"e"] * len(ages), False), long
        self.heard: asyncio.Future[Scored] = asyncio.get_running_loop().create_future()

    def read(self, form: RowForm) -> Rows:
        return self.rows

    def tell(self, result: Scored | Exception) -> None:
        if isinstance(result, Exception):
            self.heard.set_exception(result)
        else:
            self.heard.set_result(result)


class Bench:
    """A queue in front of a model that is code, with a journal of its own."""

    def __init__(self, release: LoadedRelease, folder: Path) -> None:
        self.journal, self.counts = folder / "journal", Counts()
        log = PredictionLog(self.journal, release.ref, release.signature)
        self.contender = Contender(release, log, PredictionIds(), Pulse(), 1)
        self.calls = Calls(self.contender, ServiceSettings(folder, "loans"), self.counts)
        self.folder = Path(release.scorer._order.folder)  # type: ignore[attr-defined]  # where the code runs

    def submit(self, *ages: float, long: bool = False) -> Asked:
        request = Asked(list(ages), long)
        self.calls.submit(request)
        return request

    async def busy(self, processes: int = 1) -> list[Asked]:
        """Requests that keep the processes until ``go``; what comes now waits."""
        asked = []
        for _ in range(processes):
            asked.append(self.submit(WAITS))
            while self.sizes != [1] * len(asked):
                await asyncio.sleep(0.002)
        return asked

    def go(self) -> None:
        (self.folder / "go").touch()

    @property
    def sizes(self) -> list[int]:
        """The rows of the calls so far."""
        told = self.folder / "calls"
        return [int(line) for line in told.read_text().split()] if told.exists() else []

    def recorded(self) -> list[float]:
        """The ages in the journal."""
        found: list[float] = []
        for segment in segments(self.journal, "predictions"):
            header, start = read_header(segment.path) or pytest.fail("no header")
            found += read_predictions(segment.path, header, start)["row"][:, 0].tolist()
        return found


Run = Callable[..., None]


@pytest.fixture
def run(ref: Ref, tmp_path: Path) -> Run:
    """Runs the steps of a test with a bench; nothing waits when they are over."""

    def run(steps: Callable[[Bench], Awaitable[None]], processes: int = 1) -> None:
        content = code_model(SOURCE, processes=processes, seconds=20)
        scorer = open_scorer(content)

        async def all_steps() -> None:
            saying = Saying(content.signature, content.decision)
            release = LoadedRelease(
                ref, content.signature, content.reference, saying, np.array(TYPICAL), scorer,
                LiveCounts(content.reference), processes,
            )  # fmt: skip
            bench = Bench(release, tmp_path)
            await steps(bench)
            assert (bench.calls.waiting_rows, bench.calls.waiting_requests) == (0, 0)

        with closing(scorer):
            asyncio.run(asyncio.wait_for(all_steps(), 30))

    return run


def grown(bench: Bench, rows: int) -> None:
    """Calls may have so many rows from now on."""
    bench.calls._pace.learn_call(rows, 0.001, lost=False)


async def refusal(asked: Asked) -> DrivetrainError:
    with pytest.raises(DrivetrainError) as told:
        await asked.heard
    return told.value


def test_what_waits_when_a_process_is_free_goes_to_it_in_one_call(run):
    async def steps(bench: Bench) -> None:
        grown(bench, 32)
        busy = await bench.busy()
        waiting = [bench.submit(age, age + 1) for age in range(20, 30)]
        bench.go()
        for age, asked in enumerate(waiting, 20):
            assert (await asked.heard).scores == [age / 200, (age + 1) / 200]
        await busy[0].heard
        assert bench.sizes == [1, 20]
        assert bench.recorded() == [WAITS, *(age + more for age in range(20, 30) for more in (0, 1))]

    run(steps)


def test_a_call_has_no_more_rows_than_was_learned(run):
    async def steps(bench: Bench) -> None:
        await bench.busy()
        waiting = [bench.submit(*[20.0 + number] * 3) for number in range(6)]
        bench.go()
        for asked in waiting:
            await asked.heard
        assert bench.sizes == [1, 3, 6, 9], "one request at least; then twice as many rows as went well"

    run(steps)


def test_what_waits_is_shared_out_among_the_free_processes(run):
    async def steps(bench: Bench) -> None:
        grown(bench, 256)
        first, second = await bench.busy(2)
        waiting = [bench.submit(20.0) for _ in range(8)]
        bench.go()
        await asyncio.gather(first.heard, second.heard, *(asked.heard for asked in waiting))
        assert sum(bench.sizes) == 10
        assert max(bench.sizes) < 8 or bench.sizes == [1, 1, 8], "only where one was free long before the other"

    run(steps, processes=2)


def test_one_bad_row_costs_only_its_own_request_and_few_calls(run):
    async def steps(bench: Bench) -> None:
        grown(bench, 128)
        await bench.busy()
        waiting = [bench.submit(20.0 + number) for number in range(64)]
        bad = bench.submit(30.0, FAILS)
        bench.go()
        for number, asked in enumerate(waiting):
            assert (await asked.heard).scores == [(20.0 + number) / 200]
        assert (await refusal(bad)).code == "model_code_failed"
        assert len(bench.sizes) <= 2 + 2 * 7
        assert sorted(bench.recorded()) == sorted([WAITS, *(20.0 + number for number in range(64))])

    run(steps)


def test_what_ends_a_process_is_not_asked_for_again(run):
    async def steps(bench: Bench) -> None:
        grown(bench, 128)
        await bench.busy()
        waiting = [bench.submit(age) for age in (20.0, LEAVES, 30.0)]
        bench.go()
        assert [(await refusal(asked)).code for asked in waiting] == ["model_crashed"] * 3
        assert (await bench.submit(20.0).heard).scores == [0.1]
        assert bench.sizes == [1, 3, 1]

    run(steps)


def test_errors_are_told_by_their_code_alone_and_in_full_to_the_log(run, capfd):
    async def steps(bench: Bench) -> None:
        error = await refusal(bench.submit(FAILS))
        assert isinstance(error, InvalidInput)
        assert (error.code, error.message, error.where) == ("model_code_failed", "the model failed", "")
        assert "ValueError" in capfd.readouterr().err
        for _ in range(20):
            await refusal(bench.submit(FAILS))
        assert capfd.readouterr().err.count("ValueError") <= 1, "a log is not for callers to fill"

    run(steps)


def test_who_was_told_while_a_call_was_under_way_is_not_recorded(run):
    async def steps(bench: Bench) -> None:
        grown(bench, 32)
        (busy,) = await bench.busy()
        gone, staying = bench.submit(20.0, 21.0), bench.submit(30.0)
        for told in (busy, gone):
            told.end(Transient("deadline_passed", "too late"))
        bench.go()
        assert (await staying.heard).scores == [0.15]
        assert bench.recorded() == [30.0]
        for told in (busy, gone):
            assert (await refusal(told)).code == "deadline_passed"

    run(steps)


def test_who_waited_too_long_is_not_asked_for(run):
    async def steps(bench: Bench) -> None:
        await bench.busy()
        late = bench.submit(20.0)
        late.late = time.perf_counter()
        bench.go()
        assert (await refusal(late)).code == "deadline_passed"
        assert bench.counts.events["late"] == 1
        assert bench.sizes == [1]

    run(steps)


def test_long_and_short_requests_take_turns(run):
    async def steps(bench: Bench) -> None:
        grown(bench, 32)
        await bench.busy()
        ages = [float(number % 90) for number in range(3 * SLICE + 5)]
        long, short = bench.submit(*ages), bench.submit(20.0)
        stream = bench.submit(50.0, 51.0, long=True)
        bench.go()
        assert (await short.heard).scores == [0.1]
        assert not long.heard.done()
        assert (await stream.heard).scores == [0.25, 0.255]
        assert (await long.heard).scores == [age / 200 for age in ages]
        assert bench.sizes[:3] in ([1, SLICE, 1], [1, 1, SLICE])

    run(steps)


def test_a_release_that_is_retired_answers_what_waits_then_lets_go(run):
    async def steps(bench: Bench) -> None:
        (busy,) = await bench.busy()
        waiting = bench.submit(20.0)
        bench.calls.retire()
        assert not bench.contender.closed
        bench.go()
        await busy.heard
        assert (await waiting.heard).scores == [0.1]
        assert bench.contender.closed
        assert (await refusal(bench.submit(20.0))).code == "model_closed"
        until(lambda: bench.contender.release.scorer.pids == [] or not bench.folder.exists())

    run(steps)
