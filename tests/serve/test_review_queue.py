"""The review queue, over real HTTP: what waits, why, who sees it, and answers that become labels."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import httpx
import pytest

from drivetrain.access.api_keys import create_key
from drivetrain.core.model import DecisionRule
from drivetrain.core.review_queue import ReviewRule
from drivetrain.core.task import Task
from drivetrain.serve.settings import ServiceSettings
from drivetrain.store.catalog import Catalog
from drivetrain.testing.graphs import CLASSES, ROW, classes_model, number_model
from drivetrain.testing.releases import ReleaseMaker

from .conftest import SERVICE, Running, lake, running, settings_of

AMOUNTS = "amounts"
DESK = "desk"


@pytest.fixture(scope="module")
def unsure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two services, two workers: products, of which no row is sure enough, and amounts, which wait beyond a limit.

    The key `desk` sees everybody's cases.
    """
    home = tmp_path_factory.mktemp("queue") / "project"
    home.mkdir()
    for name, content in (
        (SERVICE, classes_model(sure=1.1)),
        (AMOUNTS, number_model(DecisionRule("limit", -1e9))),
    ):
        maker = ReleaseMaker(home, name)
        maker.deploy(maker.release(content))
    review = ReviewRule(keys=(DESK,))
    amounts = ServiceSettings(home, AMOUNTS)
    with running(settings_of(home, (amounts,), review=review, workers=2)) as server:
        yield server


@pytest.fixture(scope="module")
def desk(unsure: Running) -> Iterator[httpx.Client]:
    with Catalog(unsure.home) as catalog:
        key = create_key(catalog.state, DESK)
    with httpx.Client(base_url=unsure.url, headers={"X-API-Key": key}, timeout=20) as client:
        yield client


def asked(server: Running, *rows: dict[str, Any]) -> list[str]:
    return [said["id"] for said in server.predict(*(rows or (ROW,))).json()["predictions"]]


def told(client: httpx.Client, prediction: str, label: object) -> httpx.Response:
    return client.post(f"/v1/queue/{prediction}", json={"label": label})


def test_what_is_not_sure_waits_oldest_first_page_by_page(unsure: Running) -> None:
    before = unsure.client.get("/v1/queue").json()["total"]
    first, second, third = (asked(unsure, {**ROW, "case": f"letter {number}"})[0] for number in range(3))
    page = unsure.client.get(f"/v1/queue?offset={before}").json()
    assert [case["id"] for case in page["waiting"]] == [first, second, third], "the last one was asked a moment ago"
    assert (page["total"], page["all_callers"]) == (before + 3, False)
    case = page["waiting"][1]
    assert (case["entity"], case["decision"], case["class"] in CLASSES) == ("letter 1", False, True)
    assert datetime.fromisoformat(case["at"]).utcoffset() is not None
    some = unsure.client.get(f"/v1/queue?offset={before + 1}&limit=1").json()
    assert [one["id"] for one in some["waiting"]] == [second]
    of_class = unsure.client.get("/v1/queue", params={"class": case["class"]}).json()["waiting"]
    assert second in [one["id"] for one in of_class]
    assert unsure.client.get("/v1/queue", params={"class": "nothing like it"}).json()["total"] == 0


def test_a_case_shows_what_the_model_was_given_what_it_thinks_and_why(unsure: Running) -> None:
    said = unsure.predict(ROW, explain=True).json()
    (prediction,) = said["predictions"]
    case = unsure.client.get(f"/v1/queue/{prediction['id']}").json()
    assert (case["score"], case["class"], case["release"]) == (
        prediction["score"], prediction["class"], said["release"]
    )  # fmt: skip
    assert case["reasons"] == [pytest.approx(reason) for reason in prediction["reasons"]]
    assert case["inputs"]["age"] == ROW["age"]
    assert case["inputs"]["city"] == ROW["city"]
    assert (case["choices"], case["target"], case["answer"]) == (list(CLASSES), "product", None)


def test_an_answer_is_a_label_and_the_case_waits_no_more(unsure: Running) -> None:
    (prediction,) = asked(unsure)
    assert told(unsure.client, prediction, CLASSES[1]).json() == {"recorded": 1}
    assert prediction not in [case["id"] for case in unsure.client.get("/v1/queue?limit=1000").json()["waiting"]]
    (label,) = [row for row in lake(unsure.home, "labels") if row["prediction_id"] == prediction]
    assert label["label"] == CLASSES[1]
    answer = unsure.client.get(f"/v1/queue/{prediction}").json()["answer"]
    assert (answer["label"], answer["by"]) == (CLASSES[1], label["caller"])


def test_who_answers_again_is_told_so(unsure: Running) -> None:
    (prediction,) = asked(unsure)
    assert told(unsure.client, prediction, CLASSES[0]).json() == {"recorded": 1}
    assert told(unsure.client, prediction, CLASSES[0]).json() == {"recorded": 0}, "a lost answer is asked again"
    other = told(unsure.client, prediction, CLASSES[2])
    assert (other.status_code, other.json()["error"]["code"]) == (409, "case_answered")
    (label,) = [row for row in lake(unsure.home, "labels") if row["prediction_id"] == prediction]
    assert label["label"] == CLASSES[0]


def test_of_many_who_answer_at_once_over_two_workers_one_is_heard(unsure: Running) -> None:
    (prediction,) = asked(unsure)
    found: list[httpx.Response] = []
    gate = Barrier(6)

    def answer(number: int) -> None:
        with httpx.Client(base_url=unsure.url, headers={"X-API-Key": unsure.key}, timeout=20) as client:
            client.get("/v1/deployment")
            gate.wait()
            found.append(told(client, prediction, f"class {number}"))

    threads = [Thread(target=answer, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in found) == [200, 409, 409, 409, 409, 409]
    assert [row["prediction_id"] for row in lake(unsure.home, "labels")].count(prediction) == 1


def test_a_key_sees_what_it_asked_itself_and_the_desk_sees_all(unsure: Running, desk: httpx.Client) -> None:
    (prediction,) = asked(unsure)
    page = desk.get("/v1/queue?limit=1000").json()
    assert page["all_callers"]
    assert prediction in [case["id"] for case in page["waiting"]]
    with Catalog(unsure.home) as catalog:
        stranger = create_key(catalog.state, "stranger")
    header = {"X-API-Key": stranger}
    assert unsure.anyone.get("/v1/queue", headers=header).json()["total"] == 0
    for answer in (
        unsure.anyone.get(f"/v1/queue/{prediction}", headers=header),
        unsure.anyone.post(f"/v1/queue/{prediction}", headers=header, json={"label": CLASSES[0]}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "case_unknown")
    assert told(desk, prediction, CLASSES[0]).json() == {"recorded": 1}
    assert unsure.client.get(f"/v1/queue/{prediction}").json()["answer"]["by"] == DESK


def test_numbers_wait_beyond_their_limit_and_are_answered_with_a_number(unsure: Running) -> None:
    start = f"/services/{AMOUNTS}/v1"
    (said,) = unsure.client.post(f"{start}/predict", json={"rows": [ROW]}).json()["predictions"]
    case = unsure.client.get(f"{start}/queue/{said['id']}").json()
    assert (case["low"], case["high"], case["choices"]) == (said["low"], said["high"], [])
    wrong = unsure.client.post(f"{start}/queue/{said['id']}", json={"label": "much"})
    assert (wrong.status_code, wrong.json()["error"]["where"]) == (400, "label")
    assert unsure.client.post(f"{start}/queue/{said['id']}", json={"label": 7.5}).json() == {"recorded": 1}
    assert [row["label"] for row in lake(unsure.home, "labels", AMOUNTS)] == [7.5]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/queue/none", None, 404, "case_unknown"),
        ("GET", "/v1/queue/", None, 404, "case_unknown"),
        ("POST", "/v1/queue/none", {"label": "a"}, 404, "case_unknown"),
        ("POST", "/v1/queue/none", {"label": ""}, 400, "field_invalid"),
        ("POST", "/v1/queue/none", {"label": "é" * 150}, 400, "field_range"),
        ("POST", "/v1/queue/none", {"lable": "a"}, 400, "field_unknown"),
        ("GET", "/v1/queue?limit=many", None, 400, "query_invalid"),
        ("GET", "/v1/queue?page=2", None, 400, "query_invalid"),
        ("POST", "/v1/queue", {}, 405, "method_unknown"),
        ("PUT", "/v1/queue/none", {}, 405, "method_unknown"),
    ],
)
def test_what_is_wrong_is_named(unsure: Running, method: str, path: str, body: Any, status: int, code: str) -> None:
    answer = unsure.client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    if method == "PUT":
        assert answer.headers["allow"] == "GET, POST"
    assert unsure.anyone.request(method, path, json=body).status_code in (401, 405)


def test_a_service_that_leaves_nothing_to_a_person_has_no_queue(server: Running) -> None:
    for path in ("/v1/queue", "/v1/queue/any", "/queue"):
        answer = server.client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_queue")
    assert "/v1/queue" not in server.anyone.get("/openapi.json").json()["paths"]


def test_a_project_may_say_which_ones_wait(home: Path) -> None:
    review = ReviewRule(decision=True, score=(0.0, 0.01))
    assert review.waiting(DecisionRule("capacity", 0.5), Task.YES_NO) is not None
    with running(settings_of(home, review=ReviewRule(score=(0.0, 1.0)))) as server:
        (prediction,) = asked(server)
        assert told(server.client, prediction, True).json() == {"recorded": 1}
        assert server.client.get(f"/v1/queue/{prediction}").json()["answer"]["label"] is True
    with running(settings_of(home, review=ReviewRule(score=(0.0, 1.0), looks_back_days=1e-7))) as server:
        asked(server)
        assert server.client.get("/v1/queue").json()["total"] == 0, "what is older waits no more"


def test_the_page_loads_nothing_and_the_document_speaks_of_it(unsure: Running) -> None:
    page = unsure.anyone.get("/queue")
    assert page.status_code == 200
    assert f"Review queue of {SERVICE}" in page.text
    assert "src=" not in page.text
    paths = unsure.anyone.get("/openapi.json").json()["paths"]
    assert {"get", "post"} == set(paths["/v1/queue/{prediction_id}"])
    assert {"/v1/queue", "/queue"} <= set(paths)


def test_schemathesis_finds_nothing(unsure: Running, tmp_path: Path) -> None:
    asked(unsure)
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{unsure.url}/openapi.json",
        "--header", f"Authorization: Bearer {unsure.key}", "--include-path-regex", "queue", "--warnings", "off",
        "--phases", "examples,coverage,fuzzing", "--max-examples", "5", "--seed", "1",
    ]  # fmt: skip
    hooks = {"PYTHONPATH": str(Path(__file__).parent), "SCHEMATHESIS_HOOKS": "hooks_of_schemathesis"}
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **hooks}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
