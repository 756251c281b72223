"""Services of all three tasks, through real servers: what they say, in which words, and what they are told."""

import io
import json
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest

from drivetrain.client import Client
from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import DecisionRule
from drivetrain.serve.arrow_stream import ARROW
from drivetrain.serve.grpc_messages import message
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
from .grpc_caller import AGE, GrpcCaller, output

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
    with running(settings_of(home, (ServiceSettings(home, AMOUNTS),), name=PRODUCTS, grpc_port=0)) as found:
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


def test_arrow_streams_have_a_column_for_each_output(two: Running) -> None:
    table = pa.table({"age": pa.array([25, 70], pa.int64())})
    body = io.BytesIO()
    with pa.ipc.new_stream(body, table.schema) as stream:
        stream.write_table(table)
    typed = {PRODUCTS: {"class": pa.string()}, AMOUNTS: {"low": pa.float64(), "high": pa.float64()}}
    for service, outputs in typed.items():
        answer = two.client.post(
            f"/services/{service}/v1/predict", content=body.getvalue(), headers={"content-type": ARROW}
        )
        found = pa.ipc.open_stream(answer.content).read_all()
        assert {name: found.schema.field(name).type for name in found.schema.names[3:]} == outputs
        said = ask(two, service, {"age": 25}, {"age": 70})
        assert found.select(list(outputs)).to_pylist() == [{name: one[name] for name in outputs} for one in said]


def test_an_arrow_stream_that_breaks_off_says_why(two: Running) -> None:
    table = pa.table({"age": pa.array([25, 70], pa.int64()), "income-per-month": [1.0, 1e10]})
    body = io.BytesIO()
    with pa.ipc.new_stream(body, table.schema) as stream:
        stream.write_table(table)
    got, path = bytearray(), f"/services/{PRODUCTS}/v1/predict"
    asking = two.client.stream("POST", path, content=body.getvalue(), headers={"content-type": ARROW})
    with suppress(httpx.RemoteProtocolError), asking as answer:  # it is broken off
        for part in answer.iter_bytes():
            got += part
    batches, error = [], b""
    reader = pa.ipc.open_stream(bytes(got))
    with suppress(StopIteration, pa.ArrowInvalid):
        while not error:
            batch, said = reader.read_next_batch_with_custom_metadata()
            batches.append(batch)
            error = (said or {}).get(b"error", b"")
    assert (batches[0].num_rows, json.loads(error)["where"]) == (1, "rows[1]")


def infer(server: Running, service: str, **more: object) -> httpx.Response:
    age = {"name": "age", "shape": [2], "datatype": "INT64", "data": [25, 70]}
    return server.client.post(f"/v2/models/{service}/infer", json={"inputs": [age], **more})


def test_the_open_inference_protocol_lists_the_outputs_and_gives_them(two: Running) -> None:
    for service, outputs in ((PRODUCTS, {"class": "BYTES"}), (AMOUNTS, {"low": "FP64", "high": "FP64"})):
        known = {"score": "FP64", "decision": "BOOL", **outputs}
        listed = two.client.get(f"/v2/models/{service}").json()["outputs"]
        assert {one["name"]: one["datatype"] for one in listed} == known
        given = infer(two, service).json()["outputs"]
        assert {one["name"]: one["datatype"] for one in given} == known
        said = ask(two, service, {"age": 25}, {"age": 70})
        assert {one["name"]: one["data"] for one in given} == {name: [one[name] for one in said] for name in known}
        last = list(outputs)[-1]
        (only,) = infer(two, service, outputs=[{"name": last}]).json()["outputs"]
        assert only["data"] == [one[last] for one in said]
    refused = infer(two, PRODUCTS, outputs=[{"name": "low"}])
    assert (refused.status_code, refused.json()["code"]) == (400, "output_unknown")


def test_outputs_may_stand_behind_the_json(two: Running) -> None:
    said = ask(two, PRODUCTS, {"age": 25}, {"age": 70})
    answer = infer(two, PRODUCTS, outputs=[{"name": "class", "parameters": {"binary_data": True}}])
    packed = answer.content[int(answer.headers["inference-header-content-length"]) :]
    names = [one["class"].encode() for one in said]
    assert packed == b"".join(len(name).to_bytes(4, "little") + name for name in names)


def test_grpc_gives_the_outputs_as_lists_and_packed(two: Running) -> None:
    said = {service: ask(two, service, {"age": 25}) for service in (PRODUCTS, AMOUNTS)}
    with closing(GrpcCaller(two.said(PRODUCTS)["grpc"], two.key)) as caller:
        metadata = caller.ask("ModelMetadata", name=AMOUNTS)
        assert [one.name for one in metadata.outputs] == ["score", "decision", "low", "high"]
        answer = caller.infer(AGE, model=PRODUCTS)
        assert output(answer, "class", "bytes_contents") == [said[PRODUCTS][0]["class"].encode()]
        answer = caller.infer(AGE, model=AMOUNTS)
        assert output(answer, "high", "fp64_contents") == [said[AMOUNTS][0]["high"]]
        raw = message("InferInputTensor")(name="age", datatype="INT64", shape=[1])
        packed = caller.infer(raw, model=PRODUCTS, raw_input_contents=[(25).to_bytes(8, "little")])
        (place,) = [at for at, one in enumerate(packed.outputs) if one.name == "class"]
        assert packed.raw_output_contents[place][4:] == said[PRODUCTS][0]["class"].encode()


def test_openapi_and_the_page_say_what_is_said(two: Running) -> None:
    documents = {service: two.anyone.get(f"/services/{service}/openapi.json").json() for service in (PRODUCTS, AMOUNTS)}
    schemas = {service: document["components"]["schemas"] for service, document in documents.items()}
    assert set(schemas[PRODUCTS]["Prediction"]["properties"]["class"]["enum"]) == set(CLASSES)
    assert "class" in schemas[PRODUCTS]["Prediction"]["required"]
    assert schemas[AMOUNTS]["Prediction"]["properties"]["low"]["type"] == "number"
    assert schemas[PRODUCTS]["Label"]["properties"]["label"]["type"] == "string"
    assert schemas[AMOUNTS]["Label"]["properties"]["label"]["type"] == "number"
    assert "Which of 3 classes `product` is" in documents[PRODUCTS]["info"]["description"]
    assert "true when the score is at most 390" in documents[AMOUNTS]["info"]["description"]
    for service, document in documents.items():
        example = document["paths"][f"/services/{service}/v1/labels"]["post"]["requestBody"]["content"]
        assert tell(two, service, *example["application/json"]["example"]["labels"]).is_success
        assert ("card" if service == PRODUCTS else "low") in two.anyone.get(f"/services/{service}/docs").text


def test_the_client_has_typed_answers_and_tells_labels_of_every_kind(two: Running) -> None:
    with Client(two.url, two.key, service=PRODUCTS) as client:
        (said,) = client.predict([ROW]).predictions
        assert (said.class_ in CLASSES, said.low, said.high) == (True, None, None)
        assert [one.class_ for one in client.stream([ROW])] == [said.class_]
        client.label(said.id, "loan")
    with Client(two.url, two.key, service=AMOUNTS) as client:
        (said,) = client.predict([ROW], explain=True).predictions
        assert said.low is not None
        assert said.high is not None
        assert said.low < said.score < said.high
        assert said.class_ is None
        client.label(said.id, 412.5)
        with pytest.raises(InvalidInput, match="expected a number"):
            client.label(said.id, "much")


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
    assert [row["label"] for row in lake(two.home, "labels", AMOUNTS) if row["prediction_id"] == amount["id"]] == [
        412.0
    ]
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
