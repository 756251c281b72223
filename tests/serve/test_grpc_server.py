"""gRPC with real clients: Triton's, and calls made by hand for what that one never sends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton

from drivetrain.access.api_keys import create_key
from drivetrain.core.refs import Ref
from drivetrain.serve.grpc_messages import PACKAGE, SERVICE, message
from drivetrain.serve.settings import ServiceSettings
from drivetrain.testing.graphs import ROW, SIGNATURE, expected_score
from drivetrain.testing.releases import ReleaseMaker

from .conftest import Running, Template, lake, running, settings_of, until
from .grpc_caller import AGE, GrpcCaller, listed, output, refusal, scores

PEOPLE = [ROW, {**ROW, "age": 70, "city": "nowhere"}, {**ROW, "age": 18, "member": True}]
KINDS = {
    "age": np.int64, "income-per-month": np.float64, "member": np.bool_, "city": np.object_, "born": np.object_,
    "seen": np.object_,
}  # fmt: skip


@pytest.fixture(scope="module")
def server(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of two services that speaks gRPC too."""
    home = Path(shutil.copytree(template.home, tmp_path_factory.mktemp("grpc") / "project"))
    other = ReleaseMaker(home, "other", "loans")
    other.deploy(template.flipped)
    second = ServiceSettings(home, "other", deadline_seconds=5.0)
    limits = {"max_body_bytes": 500_000, "max_rows": 200, "max_header_bytes": 8192, "deadline_seconds": 5.0}
    with running(settings_of(home, (second,), grpc_port=0, **limits)) as found:
        yield found


@pytest.fixture(scope="module")
def caller(server: Running) -> Iterator[GrpcCaller]:
    with closing(GrpcCaller(server.said()["grpc"], server.key)) as made:
        yield made


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.said()["grpc"]) as made:
        yield made


def key_of(server: Running) -> dict[str, str]:
    return {"authorization": f"Bearer {server.key}"}


def tensor(name: str, values: np.ndarray[Any, Any]) -> triton.InferInput:
    """One input as numpy has it."""
    kinds = {"int64": "INT64", "float64": "FP64", "bool": "BOOL", "object": "BYTES"}
    made = triton.InferInput(name, list(values.shape), kinds[values.dtype.name])
    made.set_data_from_numpy(values)
    return made


def columns(people: Sequence[dict[str, Any]]) -> list[triton.InferInput]:
    return [tensor(name, np.array([one[name] for one in people], dtype=kind)) for name, kind in KINDS.items()]


# --- a client of a peer ----------------------------------------------------------------------------------------


def test_the_server_and_the_models_describe_themselves(
    server: Running, client: triton.InferenceServerClient, template: Template
) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("loans")
    assert client.is_model_ready("other", template.flipped.ref.version)
    assert client.get_server_metadata(key_of(server)).name == "drivetrain"
    said = client.get_model_metadata("loans", headers=key_of(server))
    assert (said.name, said.versions, said.platform) == ("loans", [template.good.ref.version], "drivetrain_onnx")
    types = {one.name: (one.datatype, list(one.shape)) for one in said.inputs}
    assert list(types) == list(SIGNATURE.names)
    assert types["age"] == ("INT64", [-1])
    assert [(one.name, one.datatype) for one in said.outputs] == [("score", "FP64"), ("decision", "BOOL")]


def test_answers_are_those_of_http_and_stand_in_the_lake(
    server: Running, client: triton.InferenceServerClient, ref: Ref
) -> None:
    entities = tensor("case", np.array([f"g-{n}" for n in range(3)], dtype=np.object_))
    answer = client.infer("loans", [*columns(PEOPLE), entities], headers=key_of(server), request_id="q-7")
    by_http = server.predict(*PEOPLE).json()["predictions"]
    assert answer.as_numpy("score").tolist() == [one["score"] for one in by_http]
    assert answer.as_numpy("decision").tolist() == [one["decision"] for one in by_http]
    said = answer.get_response()
    assert (said.id, said.model_name, said.model_version) == ("q-7", "loans", ref.version)
    ids = [name.decode() for name in answer.as_numpy("prediction_id").tolist()]
    kept = {row["prediction_id"]: row for row in lake(server.home, "predictions") if row["prediction_id"] in ids}
    assert [kept[name]["entity"] for name in ids] == ["g-0", "g-1", "g-2"]
    assert [kept[name]["score"] for name in ids] == answer.as_numpy("score").tolist()
    assert {row["release"] for row in kept.values()} == {str(ref)}


def test_all_inputs_of_a_row_may_come_packed(server: Running, client: triton.InferenceServerClient) -> None:
    rows = np.array([[25, 1200.5, 0, 2, 9e8, 1.7e9], [60, np.nan, np.nan, -1, np.nan, np.nan]])
    answer = client.infer("loans", [tensor("row", rows)], headers=key_of(server))
    known = [rows[0].tolist(), [60, np.nan, np.nan, -1, np.nan, np.nan]]
    assert answer.as_numpy("score").tolist() == pytest.approx([expected_score(row) for row in known])


def test_outputs_may_be_chosen_and_the_ids_always_come(server: Running, client: triton.InferenceServerClient) -> None:
    wanted = [triton.InferRequestedOutput("decision")]
    answer = client.infer("loans", columns(PEOPLE), outputs=wanted, headers=key_of(server))
    assert [one.name for one in answer.get_response().outputs] == ["decision", "prediction_id"]
    assert answer.as_numpy("score") is None


def test_calls_side_by_side_are_each_given_their_own_answer(
    server: Running, client: triton.InferenceServerClient
) -> None:
    def score(age: int) -> float:
        asked = [tensor("age", np.array([age]))]
        return float(client.infer("loans", asked, headers=key_of(server)).as_numpy("score")[0])

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(score, range(18, 98)))
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 80


# --- tensors ---------------------------------------------------------------------------------------------------


def test_lists_are_answered_with_lists(caller: GrpcCaller) -> None:
    answer = caller.infer(listed("age", "INT64", int64_contents=[25, 60]), id="x")
    assert not answer.raw_output_contents
    assert [(list(one.shape), one.datatype) for one in answer.outputs] == [([2], "FP64"), ([2], "BOOL"), ([2], "BYTES")]
    assert output(answer, "decision", "bool_contents") == [score >= 0.5 for score in scores(answer)]
    assert len(set(output(answer, "prediction_id", "bytes_contents"))) == 2
    assert answer.id == "x"


def test_a_whole_row_may_come_as_lists(server: Running, caller: GrpcCaller) -> None:
    lists = {"age": "int64", "income-per-month": "fp64", "member": "bool"}
    tensors = []
    for name, value in ROW.items():
        kind = {"int64": "INT64", "fp64": "FP64", "bool": "BOOL"}.get(lists.get(name, ""), "BYTES")
        given = value.encode() if isinstance(value, str) else value
        tensors.append(listed(name, kind, [1, 1], **{f"{lists.get(name, 'bytes')}_contents": [given]}))
    by_http = server.predict(ROW).json()["predictions"][0]
    assert scores(caller.infer(*tensors)) == [by_http["score"]]


@pytest.mark.parametrize(
    ("kind", "contents"),
    [(kind, "int_contents") for kind in ("INT8", "INT16", "INT32")]
    + [(kind, "uint_contents") for kind in ("UINT8", "UINT16", "UINT32")]
    + [
        ("INT64", "int64_contents"),
        ("UINT64", "uint64_contents"),
        ("FP32", "fp32_contents"),
        ("FP64", "fp64_contents"),
    ],
)
def test_a_number_may_come_in_any_type_of_numbers(caller: GrpcCaller, kind: str, contents: str) -> None:
    expected = scores(caller.infer(AGE))
    assert scores(caller.infer(listed("age", kind, **{contents: [25]}))) == expected
    name = {"INT": "<i", "UINT": "<u", "FP": "<f"}[kind.rstrip("0123456789")] + str(int(kind.lstrip("UINTFP")) // 8)
    raw = message("InferInputTensor")(name="age", datatype=kind, shape=[1])
    answer = caller.infer(raw, raw_input_contents=[np.array([25], name).tobytes()])
    assert np.frombuffer(answer.raw_output_contents[0]).tolist() == expected


def test_half_floats_come_packed(caller: GrpcCaller) -> None:
    raw = message("InferInputTensor")(name="age", datatype="FP16", shape=[1, 1])
    answer = caller.infer(raw, raw_input_contents=[np.array([25], "<f2").tobytes()])
    assert np.frombuffer(answer.raw_output_contents[0]) == scores(caller.infer(AGE))


def test_what_is_missing_is_nan_or_left_out(server: Running, caller: GrpcCaller) -> None:
    left_out = scores(caller.infer(AGE))
    nan = listed("income-per-month", "FP64", fp64_contents=[float("nan")])
    assert scores(caller.infer(AGE, nan)) == left_out
    assert [one["score"] for one in server.predict({"age": 25}).json()["predictions"]] == left_out
    code, text, _ = refusal(lambda: caller.infer(nan))
    assert code == "INVALID_ARGUMENT"
    assert "age is missing" in text
    code, text, _ = refusal(lambda: caller.infer(listed("age", "FP64", fp64_contents=[float("nan")])))
    assert code == "INVALID_ARGUMENT"


TEXT = message("InferInputTensor")(name="city", datatype="BYTES", shape=[1])
RAW_AGE = message("InferInputTensor")(name="age", datatype="INT64", shape=[1])
WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no input": ({"inputs": []}, "rows_missing", "there is no input"),
    "no shape": ({"inputs": [listed("age", "INT64", [], int64_contents=[1])]}, "rows_missing", "no row"),
    "a wrong shape": ({"inputs": [listed("age", "INT64", [2], int64_contents=[1])]}, "tensor_shape", "1 values"),
    "a negative shape": ({"inputs": [listed("age", "INT64", [-1], int64_contents=[1])]}, "tensor_shape", "negative"),
    "a shape of worlds": (
        {"inputs": [listed("age", "INT64", [2**62], int64_contents=[1])]}, "tensor_shape", "1 values"
    ),
    "another length": ({"inputs": [AGE, listed("member", "BOOL", bool_contents=[True] * 2)]}, "tensor_shape", "member"),
    "the wrong list": ({"inputs": [listed("age", "INT64", [1], fp64_contents=[1.0])]}, "tensor_shape", "0 values"),
    "the wrong type": ({"inputs": [listed("age", "BYTES", bytes_contents=[b"x"])]}, "tensor_type", "BYTES"),
    "no type": ({"inputs": [listed("age", "TENSOR", int64_contents=[1])]}, "tensor_type", "INT64"),
    "a list of half floats": ({"inputs": [listed("age", "FP16", fp32_contents=[1.0])]}, "tensor_type", "FP16"),
    "an unknown input": ({"inputs": [AGE, listed("agee", "INT64", int64_contents=[1])]}, "input_unknown", "age?"),
    "an input twice": ({"inputs": [AGE, AGE]}, "tensor_twice", "age"),
    "a city that is no text": (
        {"inputs": [AGE, listed("city", "BYTES", bytes_contents=[b"\xff"])]}, "field_type", "city"
    ),
    "a date that is none": ({"inputs": [AGE, listed("born", "BYTES", bytes_contents=[b"soon"])]}, "", "born"),
    "half an integer": ({"inputs": [listed("age", "FP64", fp64_contents=[25.5])]}, "field_type", "age"),
    "an entity without end": (
        {"inputs": [AGE, listed("case", "BYTES", bytes_contents=[b"x" * 999])]}, "entity_invalid", "bytes"
    ),
    "too few raw contents": ({"inputs": [RAW_AGE, TEXT], "raw_input_contents": [bytes(8)]}, "tensor_shape", "1 raw"),
    "raw numbers cut off": ({"inputs": [RAW_AGE], "raw_input_contents": [bytes(7)]}, "tensor_shape", "middle"),
    "raw numbers too many": ({"inputs": [RAW_AGE], "raw_input_contents": [bytes(16)]}, "tensor_shape", "2 values"),
    "a raw text cut off": (
        {"inputs": [RAW_AGE, TEXT], "raw_input_contents": [bytes(8), b"\5\0\0\0Bern"]}, "tensor_shape", "middle"
    ),
    "a raw text without its length": (
        {"inputs": [RAW_AGE, TEXT], "raw_input_contents": [bytes(8), b"\0\0\0"]}, "tensor_shape", "middle"
    ),
    "an unknown output": (
        {"inputs": [AGE], "outputs": [message("InferRequestedOutputTensor")(name="scores")]}, "output_unknown", "score?"
    ),
    "an income without a score": (
        {"inputs": [AGE, listed("income-per-month", "FP64", fp64_contents=[1e10])]}, "row_unscorable", "score"
    ),
    "too many rows": ({"inputs": [listed("age", "INT64", int64_contents=[20] * 201)]}, "rows_too_many", "201"),
}  # fmt: skip


@pytest.mark.parametrize(("said", "code", "text"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(caller: GrpcCaller, said: dict[str, Any], code: str, text: str) -> None:
    status, details, trailing = refusal(lambda: caller.ask("ModelInfer", model_name="loans", **said))
    assert status == "INVALID_ARGUMENT"
    assert text in details
    assert trailing["x-drivetrain-code"].startswith(code)


# --- callers and limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "version"), [("loan", ""), ("", ""), ("loans", "1"), ("other", "b6c7"), ("x" * 1000, "")]
)
def test_models_and_versions_that_are_not_there_are_not_found(caller: GrpcCaller, model: str, version: str) -> None:
    status, text, trailing = refusal(lambda: caller.infer(AGE, model=model, model_version=version))
    assert (status, trailing["x-drivetrain-code"]) == ("NOT_FOUND", "model_unknown")
    assert len(text) < 300
    assert refusal(lambda: caller.ask("ModelReady", name=model, version=version))[0] == "NOT_FOUND"


def test_a_version_may_be_asked_for(caller: GrpcCaller, ref: Ref) -> None:
    assert caller.infer(AGE, model_version=ref.version).model_version == ref.version


def test_services_answer_side_by_side(caller: GrpcCaller, template: Template) -> None:
    said = caller.ask("ModelMetadata", name="other")
    assert said.versions == [template.flipped.ref.version]
    (loans,), (other,) = scores(caller.infer(AGE)), scores(caller.infer(AGE, model="other"))
    assert loans == pytest.approx(1 - other)


@pytest.mark.parametrize(
    ("call", "said"),
    [("ModelInfer", {"model_name": "loans"}), ("ModelMetadata", {"name": "loans"}), ("ServerMetadata", {})],
)
def test_callers_need_a_key(caller: GrpcCaller, call: str, said: dict[str, str]) -> None:
    status, _, trailing = refusal(lambda: caller.ask(call, key="dtk_wrong", **said))
    assert (status, trailing["x-drivetrain-code"]) == ("UNAUTHENTICATED", "key_unknown")
    keyless = caller.channel.unary_unary(f"/{PACKAGE}.{SERVICE}/{call}")
    content = message(f"{call}Request")(**said).SerializeToString()
    status, _, trailing = refusal(lambda: keyless(content))
    assert (status, trailing["x-drivetrain-code"]) == ("UNAUTHENTICATED", "key_missing")


def test_a_key_of_another_scope_is_refused(server: Running, caller: GrpcCaller) -> None:
    state = server.home / ".drivetrain"
    talk, ask = create_key(state, "grpc-talk", only=("chat",)), create_key(state, "grpc-ask", only=("predict",))
    for call, said in (("ModelInfer", {"model_name": "loans"}), ("ServerMetadata", {})):
        status, _, trailing = refusal(lambda call=call, said=said: caller.ask(call, key=talk, **said))
        assert (status, trailing["x-drivetrain-code"]) == ("PERMISSION_DENIED", "key_out_of_scope")
    assert len(scores(caller.infer(AGE, key=ask))) == 1


def test_a_rate_and_a_quota_hold_and_say_when_to_come_back(server: Running, caller: GrpcCaller) -> None:
    few = create_key(server.home / ".drivetrain", "few", rows_per_day=3)
    slow = create_key(server.home / ".drivetrain", "slow", requests_per_second=0.01)
    until(lambda: server.anyone.get("/v2", headers={"x-api-key": few}).status_code == 200)
    three = listed("age", "INT64", int64_contents=[20, 30, 40])
    assert len(scores(caller.infer(three, key=few))) == 3
    status, _, trailing = refusal(lambda: caller.infer(AGE, key=few))
    assert (status, trailing["x-drivetrain-code"]) == ("RESOURCE_EXHAUSTED", "quota_exceeded")
    assert int(trailing["retry-after"]) > 0
    caller.infer(AGE, key=slow)
    status, _, trailing = refusal(lambda: [caller.infer(AGE, key=slow) for _ in range(3)])
    assert (status, trailing["x-drivetrain-code"]) == ("RESOURCE_EXHAUSTED", "rate_limited")
    assert 0 < int(trailing["retry-after"]) <= 100


def test_the_release_that_answered_stands_in_the_metadata(caller: GrpcCaller, ref: Ref) -> None:
    content = message("ModelInferRequest")(model_name="loans", inputs=[AGE]).SerializeToString()
    _, ended = caller.call("ModelInfer", content)
    assert dict(ended.initial_metadata())["x-drivetrain-release"] == str(ref)


@pytest.mark.parametrize("content", [b"\xff" * 20, b"\x0a\xff", b"\x0a\x02\xff\xfe"])
def test_bytes_that_are_no_message_are_refused_in_words(caller: GrpcCaller, content: bytes) -> None:
    status, text, trailing = refusal(lambda: caller.call("ModelInfer", content))
    assert (status, trailing["x-drivetrain-code"]) == ("INVALID_ARGUMENT", "message_invalid")
    assert "proto" in text


def test_messages_and_metadata_are_bounded(caller: GrpcCaller) -> None:
    large = listed("age", "INT64", int64_contents=[2**40] * 100_000)
    assert refusal(lambda: caller.infer(large))[0] == "RESOURCE_EXHAUSTED"
    method = caller.channel.unary_unary(f"/{PACKAGE}.{SERVICE}/ServerLive")
    assert refusal(lambda: method(b"", metadata=(("x-long", "v" * 20_000),)))[0] == "RESOURCE_EXHAUSTED"
    assert caller.ask("ServerLive").live


def test_calls_that_do_not_exist_are_not_implemented(caller: GrpcCaller) -> None:
    method = caller.channel.unary_unary(f"/{PACKAGE}.{SERVICE}/RepositoryIndex")
    assert refusal(lambda: method(b""))[0] == "UNIMPLEMENTED"


def test_calls_are_counted_with_how_they_ended(server: Running, caller: GrpcCaller) -> None:
    def counted(status: str) -> float:
        return server.metrics().get(("drivetrain_requests_total", "grpc ModelInfer", "loans", status), 0.0)

    before = [counted(status) for status in ("200", "400", "401", "500")]
    caller.infer(AGE)
    refusal(lambda: caller.infer(AGE, AGE))
    refusal(lambda: caller.infer(AGE, key="dtk_wrong"))
    assert [counted(status) for status in ("200", "400", "401", "500")] == [
        before[0] + 1,
        before[1] + 1,
        before[2] + 1,
        0,
    ]
