"""The Open Inference Protocol, over HTTP."""

import math

import httpx
import pytest

from drivetrain.core.refs import Ref
from drivetrain.testing.graphs import ROW, SIGNATURE, expected_score

from .conftest import Running

TYPES = {"age": "INT64", "income-per-month": "FP64", "member": "BOOL"}
INFER = "/v2/models/loans/infer"


def tensor(name: str, *data: object, shape: list[int] | None = None, datatype: str | None = None) -> dict[str, object]:
    kind = datatype or TYPES.get(name, "BYTES")
    return {"name": name, "shape": shape or [len(data)], "datatype": kind, "data": list(data)}


def infer(server: Running, *tensors: dict[str, object], **more: object) -> httpx.Response:
    return server.client.post(INFER, json={"inputs": tensors, **more})


def output(answer: httpx.Response, name: str) -> list[object]:
    (found,) = [one for one in answer.json()["outputs"] if one["name"] == name]
    assert found["shape"] == [len(found["data"])]
    return found["data"]


def test_the_server_and_the_model_describe_themselves(server: Running, ref: Ref) -> None:
    said = server.client.get("/v2").json()
    assert (said["name"], said["extensions"]) == ("drivetrain", ["binary_tensor_data"])
    for path in ("/v2/models/loans", f"/v2/models/loans/versions/{ref.version}"):
        model = server.client.get(path).json()
        assert (model["name"], model["versions"]) == ("loans", [ref.version])
        assert [(one["name"], one["datatype"], one["shape"]) for one in model["inputs"]] == [
            (field.name, TYPES.get(field.name, "BYTES"), [-1]) for field in SIGNATURE.inputs
        ]
        assert [(one["name"], one["datatype"]) for one in model["outputs"]] == [("score", "FP64"), ("decision", "BOOL")]
        assert httpx.get(f"{server.url}{path}/ready").json() == {"name": "loans", "ready": True}


def test_tensors_by_name_are_scored_as_rows_are(server: Running, ref: Ref) -> None:
    people = [ROW, {**ROW, "age": 70, "city": "nowhere"}, {"age": 33}]
    tensors = [tensor(name, *[person.get(name) for person in people]) for name in SIGNATURE.names]
    answer = infer(server, *tensors, tensor("case", "a", None, "c"), id="q-1")
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["model_name"], said["model_version"], said["id"]) == ("loans", ref.version, "q-1")
    assert said["parameters"]["release"] == str(ref)
    assert len(set(said["parameters"]["prediction_ids"])) == 3
    by_row = [prediction["score"] for prediction in server.predict(*people).json()["predictions"]]
    assert output(answer, "score") == pytest.approx(by_row, abs=1e-12)
    assert output(answer, "decision") == [score >= 0.5 for score in by_row]


def test_data_may_be_nested_and_optional_tensors_left_out(server: Running) -> None:
    flat = infer(server, tensor("age", 20, 30))
    nested = infer(server, tensor("age", [20], [30], shape=[2, 1]))
    versioned = server.client.post(
        f"/v2/models/loans/versions/{flat.json()['model_version']}/infer", json={"inputs": [tensor("age", 20.0, 30.0)]}
    )
    assert output(flat, "score") == output(nested, "score") == output(versioned, "score")


def test_one_packed_tensor_holds_whole_rows(server: Running) -> None:
    rows = [[20.0, 100.0, 1.0, 2.0, 0.0, 1.7e9], [30.0, None, None, -1.0, None, None]]
    answer = infer(server, tensor("row", *rows, shape=[2, 6], datatype="FP64"))
    expected = [expected_score([math.nan if value is None else value for value in row]) for row in rows]
    assert output(answer, "score") == pytest.approx(expected, abs=1e-12)
    flat = infer(server, tensor("row", *rows[0], *rows[1], shape=[2, 6], datatype="FP64"))
    assert output(flat, "score") == output(answer, "score")


def test_only_the_outputs_that_are_asked_for_are_given(server: Running) -> None:
    answer = infer(server, tensor("age", 20), outputs=[{"name": "decision"}])
    assert [one["name"] for one in answer.json()["outputs"]] == ["decision"]


@pytest.mark.parametrize(
    ("tensors", "code", "where"),
    [
        ([], "field_invalid", "inputs"),
        ([tensor("age")], "rows_missing", "inputs[age].shape"),
        ([tensor("agee", 1)], "input_unknown", "inputs"),
        ([tensor("age", 1), tensor("age", 1)], "tensor_twice", "inputs"),
        ([tensor("age", 1), tensor("row", *[0] * 6, shape=[1, 6], datatype="FP64")], "tensor_twice", "inputs"),
        ([tensor("city", "Bern")], "field_missing", "inputs[age]"),
        ([tensor("age", 1, 2, shape=[3])], "tensor_shape", "inputs[age]"),
        ([tensor("age", 1, 2), tensor("city", "Bern")], "tensor_shape", "inputs[city]"),
        ([tensor("age", 1, datatype="BYTES")], "tensor_type", "inputs[age]"),
        ([tensor("age", 1, "2")], "field_type", "inputs[age].data[1]"),
        ([tensor("age", 1.5)], "field_type", "inputs[age].data[0]"),
        ([tensor("age", 1, None)], "field_type", "inputs[age].data[1]"),
        ([tensor("age", 1), tensor("born", "yesterday")], "field_invalid", "inputs[born].data[0]"),
        ([tensor("age", 1), tensor("case", "")], "entity_invalid", "inputs[case].data[0]"),
        ([tensor("row", 1, 2, shape=[1, 2], datatype="FP64")], "tensor_shape", "inputs[row]"),
        ([tensor("row", 1, 2, 3, 4, 5, 6, shape=[1, 6], datatype="FP64")], "field_range", "inputs[row].data[2]"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_the_words_of_the_protocol(
    server: Running, tensors: list[dict[str, object]], code: str, where: str
) -> None:
    answer = infer(server, *tensors)
    assert answer.status_code == 400
    said = answer.json()
    assert (said["code"], said["where"]) == (code, where)
    assert isinstance(said["error"], str)
    assert said["hint"]


def test_other_mistakes(server: Running) -> None:
    assert infer(server, tensor("age", 1), outputs=[{"name": "scores"}]).json()["hint"] == "did you mean score?"
    assert infer(server, tensor("age", *[1] * 10_001)).status_code == 413
    assert server.client.post("/v2/models/other/infer", json={}).status_code == 404
    assert server.client.post(INFER, content=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    unscorable = infer(server, tensor("age", 1, 1), tensor("income-per-month", 1, 1e10))
    assert (unscorable.status_code, unscorable.json()["where"]) == (400, "rows[1]")


@pytest.mark.parametrize("shape", [[10**8], [2**61], [2**63 - 1], [2**62, 4]])
def test_no_room_is_made_for_rows_that_are_only_said_to_be_there(server: Running, shape: list[int]) -> None:
    for name in ("age", "row"):
        answer = infer(server, tensor(name, 1.0, shape=shape, datatype="FP64"))
        assert (answer.status_code, answer.json()["code"]) == (400, "tensor_shape")
