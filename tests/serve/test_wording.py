"""Services of all three tasks, through real servers: what they say, in which words, and what they are told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivetrain.core.model import DecisionRule
from drivetrain.serve.settings import ServiceSettings
from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Table
from drivetrain.testing.graphs import (
    CLASSES,
    ROW,
    TYPICAL,
    classes_model,
    expected_classes,
    expected_number,
    logistic_model,
    number_model,
)
from drivetrain.testing.releases import ReleaseMaker

from .conftest import Running, lake, running, settings_of

PRODUCTS, AMOUNTS = "products", "amounts"
PACKED = [25.0, 1200.5, 0.0, 2.0, 10956 * 86400.0, 1769860800.0]
OLD = [70.0, *TYPICAL[1:]]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server with two services: which product, and how much; the second decides below its limit."""
    home = tmp_path_factory.mktemp("tasks") / "project"
    home.mkdir()
    for name, content in (
        (PRODUCTS, classes_model()),
        (AMOUNTS, number_model(DecisionRule("limit", 390.0, below=True))),
    ):
        maker = ReleaseMaker(home, name)
        maker.deploy(maker.release(content))
    with running(settings_of(home, (ServiceSettings(home, AMOUNTS),), name=PRODUCTS)) as found:
        yield found


def ask(server: Running, service: str, *rows: dict[str, Any], **more: object) -> list[dict[str, Any]]:
    answer = server.client.post(f"/services/{service}/v1/predict", json={"rows": rows, **more})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["predictions"])


def tell(server: Running, service: str, *labels: object) -> Any:
    return server.client.post(f"/services/{service}/v1/labels", json={"labels": labels})


def test_classes_are_said_by_their_name_with_their_probability(two: Running) -> None:
    first, second = ask(two, PRODUCTS, ROW, {"age": 70})
    for said, row in ((first, PACKED), (second, OLD)):
        chances = expected_classes(row)
        assert list(said) == ["id", "score", "decision", "class"]
        assert said["class"] == CLASSES[int(chances.argmax())]
        assert said["score"] == pytest.approx(chances.max(), abs=1e-12)
        assert said["decision"] is bool(chances.max() >= 0.5)
    assert first["class"] != second["class"]


def test_a_number_is_said_with_its_interval_and_may_be_decided_below_a_limit(two: Running) -> None:
    for said, row in zip(ask(two, AMOUNTS, ROW, {"age": 70}), (PACKED, OLD), strict=True):
        estimate = expected_number(row)
        assert list(said) == ["id", "score", "decision", "low", "high"]
        assert (said["score"], said["low"], said["high"]) == pytest.approx((estimate, estimate - 10, estimate + 20))
        assert said["decision"] is (estimate <= 390.0)
    assert expected_number(PACKED) <= 390.0 < expected_number(OLD)


@pytest.mark.parametrize("service", [PRODUCTS, AMOUNTS])
def test_a_row_without_an_answer_is_refused(two: Running, service: str) -> None:
    answer = two.client.post(f"/services/{service}/v1/predict", json={"rows": [ROW, {**ROW, "income-per-month": 1e10}]})
    assert (answer.status_code, answer.json()["error"]["where"]) == (400, "rows[1]")


def test_many_rows_are_answered_alike_alone_together_and_in_a_stream(two: Running) -> None:
    rows = [{"age": 20 + at % 70, "income-per-month": 10.0 * at} for at in range(1500)]
    for service, names in ((PRODUCTS, ["class"]), (AMOUNTS, ["low", "high"])):
        together = ask(two, service, *rows)
        lines = b"\n".join(json.dumps(row).encode() for row in rows)
        streamed = two.client.post(
            f"/services/{service}/v1/predict", content=lines, headers={"content-type": "application/x-ndjson"}
        )
        told = [json.loads(line) for line in streamed.text.splitlines()]
        alone = ask(two, service, rows[777])[0]
        assert [[said[name] for name in names] for said in together] == [
            [said[name] for name in names] for said in told
        ]
        assert [together[777][name] for name in names] == [alone[name] for name in names]


def test_the_lake_holds_what_was_said(two: Running) -> None:
    (product,), (amount,) = ask(two, PRODUCTS, ROW), ask(two, AMOUNTS, ROW)
    many = ask(two, PRODUCTS, *[{"age": age} for age in range(20, 90)])
    products = {row["prediction_id"]: row for row in lake(two.home, "predictions", PRODUCTS)}
    amounts = {row["prediction_id"]: row for row in lake(two.home, "predictions", AMOUNTS)}
    found = products[product["id"]]
    assert (found["class"], found["score"], found["decision"]) == (product["class"], product["score"], True)
    assert [products[said["id"]]["class"] for said in many] == [said["class"] for said in many]
    assert "low" not in found
    found = amounts[amount["id"]]
    assert (found["low"], found["high"], found["score"]) == (amount["low"], amount["high"], amount["score"])
    assert "class" not in found


def test_labels_are_taken_as_the_task_says(two: Running) -> None:
    (product,), (amount,) = ask(two, PRODUCTS, ROW), ask(two, AMOUNTS, ROW)
    before = two.metrics().get(("drivetrain_labels_unknown_total", PRODUCTS), 0)
    answer = tell(
        two, PRODUCTS,
        {"prediction_id": product["id"], "label": "loan"}, {"prediction_id": product["id"], "label": "a new one"},
    )  # fmt: skip
    assert (answer.status_code, answer.json()) == (200, {"recorded": 2})
    assert tell(two, AMOUNTS, {"prediction_id": amount["id"], "label": 412}).json() == {"recorded": 1}
    told = [row["label"] for row in lake(two.home, "labels", PRODUCTS) if row["prediction_id"] == product["id"]]
    assert told == ["loan", "a new one"], "a text that is no class is kept"
    assert [row["label"] for row in lake(two.home, "labels", AMOUNTS)] == [412.0]
    assert two.metrics()[("drivetrain_labels_unknown_total", PRODUCTS)] == before + 1


@pytest.mark.parametrize(
    ("service", "label", "hint"),
    [
        (PRODUCTS, True, "this service answers with a class: send its text, of 1 to 200 bytes"),
        (PRODUCTS, 7, "this service answers with a class: send its text, of 1 to 200 bytes"),
        (PRODUCTS, "", "this service answers with a class: send its text, of 1 to 200 bytes"),
        (PRODUCTS, "ü" * 101, "this service answers with a class: send its text, of 1 to 200 bytes"),
        (AMOUNTS, "412", "this service answers with a number: send a number"),
        (AMOUNTS, True, "this service answers with a number: send a number"),
    ],
)
def test_a_label_of_another_kind_is_refused_with_its_place(
    two: Running, service: str, label: object, hint: str
) -> None:
    good = {"prediction_id": "never", "label": "loan" if service == PRODUCTS else 1.0}
    answer = tell(two, service, good, {"prediction_id": "a", "label": label})
    error = answer.json()["error"]
    assert (answer.status_code, error["where"], error["hint"]) == (400, "labels[1].label", hint)
    assert "never" not in {row["prediction_id"] for row in lake(two.home, "labels", service)}


def test_reasons_are_those_of_the_class_that_is_said_and_of_the_estimate(two: Running) -> None:
    (said,) = ask(two, PRODUCTS, {"age": 70, "member": True}, explain=True)
    typical, chances = expected_classes(TYPICAL), expected_classes(OLD)
    at = CLASSES.index(said["class"])
    odds = np.log(chances[at] / (1 - chances[at])) - np.log(typical[at] / (1 - typical[at]))
    assert sum(reason["effect"] for reason in said["reasons"]) == pytest.approx(odds)
    (amount,) = ask(two, AMOUNTS, {"age": 70}, explain=True)
    assert [(reason["field"], reason["effect"]) for reason in amount["reasons"]] == [("age", pytest.approx(60.0))]


def test_metrics_count_the_classes(two: Running) -> None:
    name = two.said(PRODUCTS)["release"]
    before = two.metrics().get(("drivetrain_classes_total", "card", name, PRODUCTS), 0)
    ask(two, PRODUCTS, {"age": 70}, {"age": 71})
    assert two.metrics()[("drivetrain_classes_total", "card", name, PRODUCTS)] == before + 2


def test_a_service_may_change_its_task(home: Path) -> None:
    """First yes or no, then classes: answers, labels and the lake follow, and what was there is read on."""
    maker = ReleaseMaker(home)
    with running(settings_of(home)) as server:
        (old,) = server.predict(ROW).json()["predictions"]
        assert server.client.post(
            "/v1/labels", json={"labels": [{"prediction_id": old["id"], "label": True}]}
        ).is_success
        assert [row["label"] for row in lake(home, "labels")] == [True]
        lake(home, "predictions")
        server.deployed(maker.deploy(maker.release(classes_model())).version)
        (new,) = server.predict(ROW).json()["predictions"]
        assert new["class"] in CLASSES
        told = {"labels": [{"prediction_id": new["id"], "label": "loan"}]}
        assert server.client.post("/v1/labels", json=told).is_success
        server.deployed(maker.deploy(maker.release(logistic_model())).version)
        (last,) = server.predict(ROW).json()["predictions"]
        assert "class" not in last
    said = {row["prediction_id"]: row["class"] for row in lake(home, "predictions")}
    assert said == {old["id"]: None, new["id"]: new["class"], last["id"]: None}
    assert sorted(row["label"] for row in lake(home, "labels")) == ["loan", "true"]
    with Catalog(home) as catalog:
        assert Table(catalog.table_path("predictions", "loans")).schema().names[-1] in ("class", "inputs")
