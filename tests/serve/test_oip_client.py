"""A client of another house, Triton's, speaks the Open Inference Protocol with a real server over REST."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from drivetrain.serve.binary_tensors import EXTENSION, LENGTH
from drivetrain.testing.graphs import ROW, SIGNATURE, draw, expected_score

from .conftest import SERVICE, Running, Template

ROWS = draw(20, seed=3)
SCORES = [expected_score(row) for row in ROWS]
PATH = f"/v2/models/{SERVICE}/infer"


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient("{}:{}".format(*server.address)) as made:
        yield made


@pytest.fixture
def key(server: Running) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.key}"}


def tensor(name: str, kind: str, values: np.ndarray, *, binary: bool = True) -> triton.InferInput:
    made = triton.InferInput(name, list(values.shape), kind)
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def named(count: int, *, binary: bool) -> list[triton.InferInput]:
    """The row of the tests so many times, in a tensor of its own type for each input."""
    kinds = {"age": "INT64", "income-per-month": "FP64", "member": "BOOL"}
    return [
        tensor(name, kind, np.array([value] * count, object if kind == "BYTES" else None), binary=binary)
        for name, value in ROW.items()
        for kind in [kinds.get(name, "BYTES")]
    ]


def test_server_and_model_are_live_ready_and_described(
    client: triton.InferenceServerClient, key: dict[str, str], template: Template
) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(SERVICE)
    assert client.is_model_ready(SERVICE, template.good.ref.version)
    assert not client.is_model_ready("another")
    assert client.get_server_metadata(headers=key)["extensions"] == [EXTENSION]
    described = client.get_model_metadata(SERVICE, headers=key)
    assert [each["name"] for each in described["inputs"]] == list(SIGNATURE.names)
    assert described["versions"] == [template.good.ref.version]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("asked", ["nothing", "json", "binary"])
def test_named_tensors_of_all_types(
    client: triton.InferenceServerClient, server: Running, key: dict[str, str], binary: bool, asked: str
) -> None:
    outputs = [triton.InferRequestedOutput(name, binary_data=asked == "binary") for name in ("decision", "score")]
    answer = client.infer(
        SERVICE, named(3, binary=binary), outputs=None if asked == "nothing" else outputs, request_id="7", headers=key
    )
    expected = server.predict(ROW).json()
    assert answer.as_numpy("score") == pytest.approx([expected["predictions"][0]["score"]] * 3)
    assert answer.as_numpy("decision").tolist() == [expected["predictions"][0]["decision"]] * 3
    told = answer.get_response()
    assert told["id"] == "7"
    assert told["parameters"]["release"] == expected["release"]
    assert len(told["parameters"]["prediction_ids"]) == 3
    assert ["data" in output for output in told["outputs"]] == [asked == "json"] * 2


@pytest.mark.parametrize("kind", ["FP64", "FP32"])
def test_rows_packed_into_one_tensor(client: triton.InferenceServerClient, key: dict[str, str], kind: str) -> None:
    rows = np.nan_to_num(ROWS, nan=0.0).astype(np.float64 if kind == "FP64" else np.float32)
    answer = client.infer(SERVICE, [tensor("row", kind, rows)], headers=key)
    expected = [expected_score(row) for row in rows.astype(np.float64)]
    assert answer.as_numpy("score") == pytest.approx(expected, abs=1e-12)


def test_nan_is_a_missing_value_where_there_is_no_null(
    client: triton.InferenceServerClient, key: dict[str, str]
) -> None:
    assert np.isnan(ROWS).any()
    answer = client.infer(SERVICE, [tensor("row", "FP64", ROWS)], headers=key)
    assert answer.as_numpy("score") == pytest.approx(SCORES, abs=1e-12)
    with pytest.raises(InferenceServerException, match="age"):
        client.infer(SERVICE, [tensor("row", "FP64", np.full((1, 6), np.nan))], headers=key)


def test_texts_may_be_empty_or_long_and_the_entity_comes_along(
    client: triton.InferenceServerClient, key: dict[str, str]
) -> None:
    inputs = [each for each in named(2, binary=True) if each.name() != "city"]
    inputs.append(tensor("city", "BYTES", np.array(["", "ü" * 5000], object)))
    inputs.append(tensor("case", "BYTES", np.array(["a", "b"], object)))
    assert len(client.infer(SERVICE, inputs, headers=key).as_numpy("score")) == 2


def test_the_client_understands_what_is_wrong(client: triton.InferenceServerClient, key: dict[str, str]) -> None:
    with pytest.raises(InferenceServerException, match="API key") as refused:
        client.infer(SERVICE, named(1, binary=True))
    assert refused.value.status() == "401"
    with pytest.raises(InferenceServerException, match="no input agee"):
        client.infer(SERVICE, [tensor("agee", "INT64", np.array([3]))], headers=key)
    with pytest.raises(InferenceServerException, match="INT64"):
        client.infer(SERVICE, [*named(1, binary=True)[:3], tensor("city", "INT64", np.array([3]))], headers=key)


def body(*inputs: dict[str, Any], behind: bytes = b"") -> tuple[bytes, dict[str, str]]:
    head = msgspec.json.encode({"inputs": inputs})
    return head + behind, {LENGTH: str(len(head))}


def packed(name: str, kind: str, size: object, **more: object) -> dict[str, Any]:
    return {"name": name, "shape": [1], "datatype": kind, "parameters": {"binary_data_size": size}, **more}


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        body(packed("age", "INT64", 8), behind=bytes(7)),
        body(packed("age", "INT64", 8), behind=bytes(9)),
        body(packed("age", "INT64", 7), behind=bytes(7)),
        body(packed("age", "INT64", -1)),
        body(packed("age", "INT64", "8"), behind=bytes(8)),
        body(packed("age", "INT64", 2**60), behind=bytes(8)),
        body(packed("age", "INT65", 8), behind=bytes(8)),
        body(packed("age", "INT64", 8, data=[1]), behind=bytes(8)),
        body(packed("city", "BYTES", 5), behind=b"\xff\xff\xff\xffa"),
        body(packed("city", "BYTES", 3), behind=b"\1\0\0"),
        body(packed("city", "BYTES", 5), behind=b"\1\0\0\0\xff"),
        (body(packed("age", "INT64", 8))[0], {LENGTH: "-1"}),
        (body(packed("age", "INT64", 8))[0], {LENGTH: "9999"}),
        (body(packed("age", "INT64", 8))[0], {LENGTH: "ten"}),
        (body(packed("age", "INT64", 8))[0], {}),
        (body(packed("age", "INT64", 8))[0], {LENGTH: "0"}),
    ],
)
def test_bytes_that_are_not_as_they_should_be(server: Running, content: bytes, headers: dict[str, str]) -> None:
    answer = server.client.post(PATH, content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["code"] in ("tensor_shape", "tensor_type", "field_type", "json_invalid")


def test_the_release_stands_in_the_header(server: Running, template: Template) -> None:
    answer: httpx.Response = server.client.post(
        PATH, json={"inputs": [{"name": "age", "shape": [1], "datatype": "INT64", "data": [25]}]}
    )
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-drivetrain-release"] == str(template.good.ref)
