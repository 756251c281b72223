"""Models that are Python code, inside a server: what they do wrong is theirs alone."""

from __future__ import annotations

import http.client
import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Barrier, Event

import httpx
import numpy as np
import pytest

from drivetrain.core.rollout import CanaryRule
from drivetrain.serve.settings import ServiceSettings
from drivetrain.testing.code_models import CRASHES, FAILS, GOOD, HANGS, LEAVES, code_model
from drivetrain.testing.graphs import ROW, TYPICAL, as_json, draw, expected_score, logistic_model
from drivetrain.testing.releases import ReleaseMaker

from .code_desk import (
    CODE,
    CRAWLING,
    CRAWLS,
    GOOD_SCORE,
    MIXED,
    NO_NUMBER,
    OVER,
    SECONDS,
    SLOW,
    SLOW_CALL,
    TOO_FEW,
    TOO_MUCH,
    assert_good,
    at_age,
    beside,
    deploy,
    good_scores,
    judge,
    offspring,
    while_there,
    wild,
)
from .conftest import SERVICE, Running, lake, running, settings_of, until


@pytest.fixture(scope="module")
def both(template, tmp_path_factory) -> Iterator[Running]:
    """A server of three services: the loans, which are a graph, the wild code, and code that takes time for a row."""
    home = Path(shutil.copytree(template.home, tmp_path_factory.mktemp("both") / "project"))
    deploy(home, wild())
    deploy(home, code_model(CRAWLING, OVER, seconds=60), CRAWLS)
    others = beside(home, deadline_seconds=2.0), ServiceSettings(home, CRAWLS)
    with running(settings_of(home, others)) as server:
        yield server


@pytest.fixture(scope="module")
def line(template, tmp_path_factory) -> Iterator[tuple[Running, ReleaseMaker]]:
    """A server of the loans alone, and who deploys there."""
    home = Path(shutil.copytree(template.home, tmp_path_factory.mktemp("line") / "project"))
    with running(settings_of(home, shadow_load=1.0)) as server:
        yield server, ReleaseMaker(home, SERVICE)


# --- answers --------------------------------------------------------------------------------------------------------


def test_every_way_in_gives_the_scores_of_the_function(both):
    rows = draw(700, seed=5)
    expected = good_scores(rows)
    answer = judge(both, *as_json(rows)).json()
    assert [found["score"] for found in answer["predictions"]] == expected
    assert [found["decision"] for found in answer["predictions"]] == [score >= 0.5 for score in expected]
    packed = {"name": "row", "shape": [20, 6], "datatype": "FP64", "data": np.nan_to_num(rows[:20]).tolist()}
    told = both.client.post(f"/v2/models/{CODE}/infer", json={"inputs": [packed]}).json()
    assert told["outputs"][0]["data"] == good_scores(np.nan_to_num(rows[:20]))


def test_a_decision_of_code_is_explained(both):
    answer = both.client.post(f"/services/{CODE}/v1/predict", json={"rows": [{**ROW, "age": 90}], "explain": True})
    reasons = answer.json()["predictions"][0]["reasons"]
    assert {reason["field"] for reason in reasons[:2]} == {"age", "income-per-month"}


def test_code_that_fails_on_what_explaining_asks_is_told(both):
    row = {**ROW, "age": int(MIXED)}
    answer = both.client.post(f"/services/{CODE}/v1/predict", json={"rows": [row], "explain": True})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "model_code_failed")


# --- what code does wrong -------------------------------------------------------------------------------------------

WRONGS = {
    LEAVES: (503, "model_crashed"),
    CRASHES: (503, "model_crashed"),
    HANGS: (503, "model_timeout"),
    FAILS: (500, "model_code_failed"),
    NO_NUMBER: (500, "model_code_failed"),
    TOO_FEW: (500, "model_code_failed"),
    TOO_MUCH: (500, "model_code_failed"),
}


@pytest.mark.parametrize(("age", "wrong"), WRONGS.items())
def test_what_code_does_wrong_has_an_answer_and_costs_nothing_but_that(both, age, wrong):
    status, code = wrong
    answer = judge(both, at_age(age))
    # what code says of its failure may hold rows of other callers: nothing of it is told
    told = {"code": code, "message": "the model failed", "where": "", "hint": "the server's log says why"}
    assert (answer.status_code, answer.json()["error"]) == (status, told)
    assert ("retry-after" in answer.headers) == (status == 503)
    assert_good(judge(both, ROW))
    assert both.predict(ROW).status_code == 200


def test_the_open_inference_protocol_tells_it_too(both):
    assert both.client.get(f"/v2/models/{CODE}").json()["platform"] == "drivetrain_python"
    row = {"name": "row", "shape": [1, 6], "datatype": "FP64", "data": [[FAILS, *TYPICAL[1:]]]}
    answer = both.client.post(f"/v2/models/{CODE}/infer", json={"inputs": [row]})
    assert (answer.status_code, answer.json()["code"]) == (500, "model_code_failed")
    assert isinstance(answer.json()["error"], str)


def test_while_code_hangs_another_service_goes_on(both):
    with ThreadPoolExecutor(1) as pool:
        calm, hanging = pace(both, Event()), pool.submit(judge, both, at_age(HANGS))
        over = Event()
        hanging.add_done_callback(lambda done: over.set())
        disturbed = pace(both, over)
        assert hanging.result().json()["error"]["code"] == "model_timeout"
    # the call takes a second, and burns a core in it: a server that waited for it would have answered nothing at all
    assert len(disturbed) >= 20
    assert np.median(disturbed) <= 10 * np.median(calm) + 0.02


def pace(server: Running, over: Event, most: float = SECONDS) -> list[float]:
    """The seconds that each of the requests took that were asked one after the other until it was ``over``."""
    taken: list[float] = []
    began = time.perf_counter()
    while not over.is_set() and time.perf_counter() - began < most:
        at = time.perf_counter()
        assert server.predict(ROW).status_code == 200
        taken.append(time.perf_counter() - at)
    return taken


def test_one_bad_row_among_many_requests_costs_only_its_own(both):
    rows = [at_age(FAILS) if number == 7 else ROW for number in range(30)]
    with queued_behind_a_slow_call(both) as pool:
        answers = [asked.result() for asked in [pool.submit(judge, both, row) for row in rows]]
    (bad,) = [answer for number, answer in enumerate(answers) if number == 7]
    assert (bad.status_code, bad.json()["error"]["code"]) == (500, "model_code_failed")
    for answer in answers[:7] + answers[8:]:
        assert_good(answer)


@contextmanager
def queued_behind_a_slow_call(server: Running) -> Iterator[ThreadPoolExecutor]:
    """Callers whose requests wait while the only process of the model is busy."""
    with ThreadPoolExecutor(31) as pool:
        slow = pool.submit(judge, server, at_age(SLOW))
        until(lambda: server.metrics()[("drivetrain_waiting_rows", CODE)] == 1)
        yield pool
        assert slow.result().status_code == 200


def test_nobody_waits_longer_than_their_deadline_for_a_call_that_hangs(both):
    with ThreadPoolExecutor(2) as pool:
        hanging = pool.submit(judge, both, at_age(HANGS))
        until(lambda: both.metrics()[("drivetrain_waiting_rows", CODE)] == 1)
        impatient = judge(both, ROW, **{"X-Deadline-Ms": "50"})
        assert not hanging.done()
        assert (impatient.status_code, impatient.json()["error"]["code"]) == (503, "deadline_passed")
        assert "retry-after" in impatient.headers
        assert hanging.result().json()["error"]["code"] == "model_timeout"
    assert_good(judge(both, ROW))
    assert both.metrics()[("drivetrain_waiting_rows", CODE)] == 0


def test_an_answer_that_came_too_late_is_not_recorded(both):
    late = judge(both, {**at_age(SLOW), "case": "too late"}, **{"X-Deadline-Ms": "100"})
    assert late.json()["error"]["code"] == "deadline_passed"
    assert_good(judge(both, {**ROW, "case": "in time"}))
    cases = {row["entity"] for row in lake(both.home, "predictions", CODE)}
    assert "in time" in cases
    assert "too late" not in cases


# --- quarantine -----------------------------------------------------------------------------------------------------


def test_code_that_loses_its_processes_is_quarantined_until_it_works_again(home, tmp_path):
    broken = tmp_path / "broken"
    maker = deploy(home, while_there(broken, "os._exit(3)"))
    with running(settings_of(home, (beside(home),))) as server:
        assert_good(judge(server, ROW))
        told = {"model_crashed", "model_broken", "service_quarantined", "deadline_passed"}  # the last on a busy machine
        assert break_down(server, broken) <= told
        ready = httpx.get(f"{server.url}/v2/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded"), "the loans go on"
        assert "ended again and again" in server.health(CODE)["reason"]
        assert "release/" in server.health(CODE)["reason"]
        assert httpx.get(f"{server.url}/v2/models/{CODE}/ready").status_code == 503
        assert judge(server, ROW).headers["retry-after"]
        assert server.predict(ROW).status_code == 200
        broken.unlink()
        until(lambda: server.health(CODE)["state"] == "ready")
        assert server.health(CODE)["reason"] == ""
        assert_good(judge(server, ROW))
        break_down(server, broken)
        maker.deploy(maker.release(logistic_model()))
        until(lambda: judge(server, ROW).status_code == 200)
        assert server.health(CODE)["reason"] == "", "another deployment ends a quarantine at once"


def break_down(server: Running, broken: Path) -> set[str]:
    """What callers are told until the service is quarantined."""
    broken.touch()
    codes: set[str] = set()
    until(lambda: codes.add(judge(server, ROW).json()["error"]["code"]) or "service_quarantined" in codes)
    return codes


# --- rolling out ----------------------------------------------------------------------------------------------------


def test_code_on_trial_answers_its_share_and_is_judged(line, template):
    server, maker = line
    challenger = maker.release(code_model(GOOD))
    lenient = CanaryRule(max_slower=1e6, max_flipped=0.99, max_segment_flipped=0.99, max_rate_change=0.99,
                         max_score_shift=0.99)  # fmt: skip
    server.deployed(maker.deploy(template.good, challenger, 0.5, canary=lenient).version)
    rows = draw(60, seed=3)
    rows[:, 0] = 40
    rows[:, 1:] = np.where(np.isnan(rows[:, 1:]), TYPICAL[1:], rows[:, 1:])
    answered = set()
    for number, row in enumerate(as_json(rows)):
        answer = server.predict({**row, "case": f"case {number}"}).json()
        answered.add(answer["release"])
        by_code = answer["release"] == str(challenger.ref)
        (score,) = good_scores(rows[number : number + 1]) if by_code else (expected_score(rows[number]),)
        assert answer["predictions"][0]["score"] == pytest.approx(score, abs=1e-9)
    assert answered == {str(challenger.ref), str(template.good.ref)}
    trial = server.client.get("/v1/deployment").json()
    assert trial["challenger"] == str(challenger.ref)
    assert trial["rows"] > 10


def test_code_on_trial_that_crashes_is_rolled_back_and_no_caller_notices(line, template, tmp_path):
    server, maker = line
    broken = tmp_path / "broken"
    challenger = maker.release(while_there(broken, "os._exit(3)"))
    server.deployed(maker.deploy(template.good, challenger, 0.5, canary=CanaryRule(max_slower=1e6)).version)
    broken.touch()
    numbers = iter(range(10_000))

    def rolled_back() -> bool:
        answer = server.predict({**ROW, "case": f"case {next(numbers)}"})
        assert (answer.status_code, answer.json().get("release")) == (200, str(template.good.ref))
        return "rolled back" in server.log.read_text()

    until(rolled_back)
    assert "errors" in server.log.read_text()


def test_a_shadow_that_is_code_is_compared_and_holds_up_nobody(line, template, tmp_path):
    server, maker = line
    hangs = tmp_path / "hangs"
    shadow = maker.release(while_there(hangs, "import time; time.sleep(60)"))
    server.deployed(maker.deploy(template.good, shadows=[shadow]).version)
    until(lambda: server.predict(ROW).status_code == 200 and count(server, "shadow_rows") >= 10)
    hangs.touch()
    before, answers = count(server, "shadow_failed"), 0
    while count(server, "shadow_failed") == before:
        assert server.predict(ROW).status_code == 200
        answers += 1
    assert answers >= 10, "a call of the shadow that hangs takes a second; whoever waits for it answers one request"
    hangs.unlink()


def test_a_shadow_that_is_let_go_while_its_call_hangs_ends_without_a_word(line, template, tmp_path):
    server, maker = line
    server.deployed(maker.deploy(template.good).version)
    (worker,) = server.workers()
    before = offspring(worker)
    hangs = tmp_path / "hangs"
    shadow = maker.release(while_there(hangs, "import time; time.sleep(60)"))
    server.deployed(maker.deploy(template.good, shadows=[shadow]).version)
    hangs.touch()
    assert server.predict(ROW).status_code == 200
    server.deployed(maker.deploy(template.good).version)
    until(lambda: offspring(worker) == before)
    assert server.predict(ROW).status_code == 200
    assert "never retrieved" not in server.log.read_text()


def count(server: Running, event: str) -> float:
    return sum(value for name, value in server.metrics().items() if event in name[0] + "".join(name[1:]))


def test_from_a_graph_to_code_and_back_under_load_without_a_failed_request(line, template):
    server, maker = line
    server.deployed(maker.deploy(template.good).version)
    code = maker.release(code_model(GOOD, processes=2))
    over, heard = Event(), set[str]()
    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(keep_asking, server, over, heard) for _ in range(8)]
        try:
            for release in (code, template.good, code, template.same, code):
                server.deployed(maker.deploy(release).version)
                heard.clear()
                until(lambda name=str(release.ref): name in heard)
        finally:
            over.set()
        for asked in asking:
            asked.result()


def keep_asking(server: Running, over: Event, heard: set[str]) -> None:
    """Ask until it is over, and note the releases that answered, each with its own score."""
    ours = expected_score([25.0, 1200.5, 0.0, 2.0, 946598400.0, 1769860800.0])
    with httpx.Client(base_url=server.url, headers=server.client.headers, timeout=20) as client:
        while not over.is_set():
            answer = client.post("/v1/predict", json={"rows": [ROW]})
            assert answer.status_code == 200, answer.text
            score = answer.json()["predictions"][0]["score"]
            assert score in (GOOD_SCORE, pytest.approx(ours, abs=1e-9))
            heard.add(answer.json()["release"])


def test_code_that_does_not_answer_as_its_report_says_is_refused_and_leaves_no_process(line, template):
    server, maker = line
    server.deployed(maker.deploy(template.good).version)
    (worker,) = server.workers()
    before = offspring(worker)
    fickle = "import os\nimport numpy as np\ndef score(columns):\n    return np.full(len(columns['age']), RATE)\n"
    fickle += f"RATE = 0.25 if os.getppid() == {worker} else 0.5\n"
    maker.deploy(maker.release(code_model(fickle)))
    until(lambda: server.health()["reason"])
    assert server.predict(ROW).json()["release"] == str(template.good.ref)
    until(lambda: set(offspring(worker)) <= set(before))


# --- too much -------------------------------------------------------------------------------------------------------


def crowd(server: Running, service: str, age: float, seconds: float, callers: int = 64) -> list[tuple[int, str, float]]:
    """Callers who ask again, whatever they are told: status, code and seconds of each answer."""
    together = Barrier(callers)
    path, body = f"/services/{service}/v1/predict", json.dumps({"rows": [at_age(age)]})

    def ask() -> list[tuple[int, str, float]]:
        found = []
        with closing(http.client.HTTPConnection(*server.address, timeout=20)) as connection:
            connection.connect()
            together.wait()
            over = time.perf_counter() + seconds
            while (began := time.perf_counter()) < over:
                connection.request("POST", path, body, {"X-API-Key": server.key})
                answer = connection.getresponse()
                code = json.loads(answer.read()).get("error", {}).get("code", "")
                assert code == "" or answer.getheader("retry-after")
                found.append((answer.status, code, time.perf_counter() - began))
                if code:
                    Event().wait(0.05)  # or the callers need all the machine
        return found

    with ThreadPoolExecutor(callers) as pool:
        return [one for asked in [pool.submit(ask) for _ in range(callers)] for one in asked.result()]


def test_slow_code_refuses_what_it_cannot_answer_before_the_deadline(both):
    """Ten rows a second, and 64 callers."""
    answers = crowd(both, CRAWLS, SLOW, 4.0)
    assert {code for _, code, _ in answers} <= {"", "overloaded", "deadline_passed"}
    assert sum(status == 200 for status, _, _ in answers) >= 10
    refused = [seconds for _, code, seconds in answers if code == "overloaded"]
    assert len(refused) > 64, "most are told at once, from what was learned"
    assert np.median(refused) < 0.5
    assert max(seconds for _, _, seconds in answers) < 4.0
    until(lambda: both.metrics()[("drivetrain_waiting_rows", CRAWLS)] == 0)


def test_code_whose_calls_are_slow_whatever_their_size_answers_a_crowd(both):
    """A fifth of a second for a call of one row, and for one of 64."""
    crowd(both, CODE, SLOW_CALL, 2.0)
    answers = crowd(both, CODE, SLOW_CALL, 1.0)
    assert {code for _, code, _ in answers} <= {"", "overloaded", "deadline_passed"}
    assert sum(status == 200 for status, _, _ in answers) >= 64
