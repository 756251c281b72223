"""A release with hard rules, through a real server: the rule that spoke stands wherever the answer does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from drivetrain.core.rules import RulesSpec
from drivetrain.serve.settings import ServiceSettings
from drivetrain.store.models import ModelContent
from drivetrain.testing.graphs import logistic_model
from drivetrain.testing.releases import ReleaseMaker
from drivetrain.train.rules import rules_of

from .conftest import OTHER, SERVICE, Running, lake, running, settings_of, until

OLD = {"name": "old", "when": "age >= 60", "decide": False, "because": "They have paid for long."}
POOR = {
    "name": "poor",
    "when": '"income-per-month" < 100 AND score > 0',
    "decide": True,
    "because": "It is too little.",
}
ROWS = [{"age": 65, "income-per-month": 50.0}, {"age": 25, "income-per-month": 50.0}, {"age": 25}]
SPOKE = ["old", "poor", "none"]


def with_rules(content: ModelContent, *before: object, after: tuple[object, ...] = ()) -> ModelContent:
    rules = rules_of(RulesSpec.model_validate({"before": before, "after": after}), content.signature)
    named = replace(content.signature, rules=tuple(rule.name for rule in rules))
    return replace(content, signature=named, rules=rules)


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two services: one with rules, and one without, which has the first one's release in its shadow."""
    home = tmp_path_factory.mktemp("rules") / "project"
    home.mkdir()
    maker, other = ReleaseMaker(home, SERVICE), ReleaseMaker(home, OTHER, SERVICE)
    plain, with_them = (
        maker.release(content) for content in (logistic_model(), with_rules(logistic_model(), OLD, after=(POOR,)))
    )
    maker.deploy(plain, shadows=[with_them])
    other.deploy(with_them)
    with running(settings_of(home, (ServiceSettings(home, OTHER),), shadow_load=0.5)) as server:
        yield server


def test_the_rule_that_spoke_stands_in_every_answer(ruled: Running) -> None:
    path = f"/services/{OTHER}/v1/predict"
    said = ruled.client.post(path, json={"rows": ROWS}).json()["predictions"]
    assert [one["rule"] for one in said] == SPOKE
    assert [one["decision"] for one in said[:2]] == [False, True]
    lines = b"\n".join(json.dumps(row).encode() for row in ROWS)
    streamed = ruled.client.post(path, content=lines, headers={"content-type": "application/x-ndjson"})
    assert [json.loads(line)["rule"] for line in streamed.text.splitlines()] == SPOKE
    tensors = [{"name": "age", "datatype": "INT64", "shape": [3], "data": [row["age"] for row in ROWS]}]
    tensors.append({"name": "income-per-month", "datatype": "FP64", "shape": [3], "data": [50.0, 50.0, None]})
    answer = ruled.client.post(f"/v2/models/{OTHER}/infer", json={"inputs": tensors, "outputs": [{"name": "rule"}]})
    assert answer.json()["outputs"][0]["data"] == SPOKE
    alone = [ruled.client.post(path, json={"rows": [row]}).json()["predictions"][0]["rule"] for row in ROWS]
    assert alone == SPOKE
    until(lambda: len(lake(ruled.home, "predictions", OTHER)) == 12)
    assert sorted(row["rule"] for row in lake(ruled.home, "predictions", OTHER)) == sorted(4 * SPOKE)


def test_reasons_and_counts_are_for_whoever_asks(ruled: Running) -> None:
    ruled.client.post(f"/services/{OTHER}/v1/predict", json={"rows": ROWS})
    document = ruled.client.get(f"/services/{OTHER}/openapi.json").json()
    rule = document["components"]["schemas"]["Prediction"]["properties"]["rule"]
    assert rule["enum"] == ["none", "old", "poor"]
    assert "`old`: They have paid for long." in rule["description"]
    assert "unless a rule decides" in document["info"]["description"]
    page = ruled.client.get("/metrics").text
    counted = {
        sample.labels["rule"]: sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "drivetrain_rules_total" and sample.labels["service"] == OTHER
    }
    assert set(counted) == set(SPOKE)
    assert len(set(counted.values())) == 1


def test_a_challenger_with_rules_is_compared_in_the_shadow_by_what_it_decides(ruled: Running) -> None:
    said = ruled.predict(*ROWS).json()["predictions"]
    assert [list(one) for one in said] == [["id", "score", "decision"]] * 3
    until(lambda: ruled.metrics()["drivetrain_shadow_rows_total", SERVICE] == 3)
    decided = [False, True, said[2]["decision"]]
    flipped = sum(one["decision"] != other for one, other in zip(said, decided, strict=True))
    assert flipped
    assert ruled.metrics()["drivetrain_shadow_flipped_total", SERVICE] == flipped
    until(lambda: len(lake(ruled.home, "pairs")) == 3)
    pairs = {row["prediction_id"]: row for row in lake(ruled.home, "pairs")}
    assert [pairs[one["id"]]["decision"] for one in said] == decided
    assert [pairs[one["id"]]["score"] for one in said] == pytest.approx([one["score"] for one in said])
