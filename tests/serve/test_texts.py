"""A model that reads a free text: the same text in every protocol is the same answer."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.model import InputField, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.ops.text import TextEncoder, encoder_files
from drivetrain.ops.text_features import learn_weights
from drivetrain.ops.text_terms import Terms
from drivetrain.serve.arrow_stream import ARROW
from drivetrain.serve.binary_tensors import BINARY, LENGTH
from drivetrain.serve.packed_tensors import pack
from drivetrain.store.models import ModelContent
from drivetrain.testing.graphs import logistic_graph, model_of
from drivetrain.testing.releases import ReleaseMaker

from .conftest import SERVICE, Running, running, settings_of
from .grpc_caller import GrpcCaller, listed, scores

LETTERS = ["please close my account", "thank you, my card is here", "", "the card card card ñ"]
AGES = [25, 40, 61, 33]


def reader() -> ModelContent:
    """A model of an age and of a letter, whose terms have weights by lot."""
    block = learn_weights(LETTERS, Terms("word", 1, 1))
    weights = np.random.default_rng(0).normal(size=(len(block.known), 1)).astype(np.float32)
    encoder = TextEncoder((block,), weights, np.array([0.3]))
    age = InputField("age", ColumnType.INTEGER, nullable=False, low=18.0, high=90.0, typical=40.0)
    letter = InputField("letter:yes", ColumnType.NUMBER, nullable=True, of="letter", made_by="e")
    rows = np.column_stack([np.arange(20.0, 60.0), np.linspace(-1, 1, 40)])
    content = model_of(logistic_graph((-0.05, 1.5), (40.0, 0.0)), Signature((age, letter), "case", "angry"), rows)
    return replace(content, texts=encoder_files({"letter": encoder}))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("letters") / "project"
    home.mkdir()
    maker = ReleaseMaker(home, SERVICE)
    maker.deploy(maker.release(reader()))
    with running(settings_of(home, grpc_port=0)) as server:
        yield server


def said(desk: Running) -> list[float]:
    rows = [{"age": age, "letter": letter} for age, letter in zip(AGES, LETTERS, strict=True)]
    return [one["score"] for one in desk.predict(*rows).json()["predictions"]]


def tensors(**letter: Any) -> dict[str, Any]:
    text = {"name": "letter", "datatype": "BYTES", "shape": [4], **letter}
    return {"inputs": [{"name": "age", "datatype": "INT64", "shape": [4], "data": AGES}, text]}


def infer(desk: Running, **request: Any) -> Any:
    return desk.client.post(f"/v2/models/{SERVICE}/infer", **request)


def test_a_text_is_a_tensor_of_bytes(desk: Running) -> None:
    expected = said(desk)
    assert len(set(expected)) == 4
    answer = infer(desk, json=tensors(data=LETTERS)).json()
    assert answer["outputs"][0]["data"] == expected
    about = desk.client.get(f"/v2/models/{SERVICE}").json()
    assert {"name": "letter", "datatype": "BYTES", "shape": [-1]} in about["inputs"]


def test_a_text_may_stand_behind_the_json(desk: Running) -> None:
    packed = pack("BYTES", LETTERS)
    head = json.dumps(tensors(parameters={"binary_data_size": len(packed)})).encode()
    headers = {"content-type": BINARY, LENGTH: str(len(head))}
    assert infer(desk, content=head + packed, headers=headers).json()["outputs"][0]["data"] == said(desk)


def test_a_text_comes_by_grpc_and_in_record_batches(desk: Running) -> None:
    with closing(GrpcCaller(desk.said()["grpc"], desk.key)) as caller:
        ages = listed("age", "INT64", int64_contents=AGES)
        letters = listed("letter", "BYTES", bytes_contents=[letter.encode() for letter in LETTERS])
        assert scores(caller.infer(ages, letters)) == said(desk)
    table = pa.table({"age": pa.array(AGES, pa.int64()), "letter": LETTERS})
    body = io.BytesIO()
    with pa.ipc.new_stream(body, table.schema) as stream:
        stream.write_table(table)
    answer = desk.client.post("/v1/predict", content=body.getvalue(), headers={"content-type": ARROW})
    assert pa.ipc.open_stream(answer.content).read_all()["score"].to_pylist() == said(desk)


def test_a_text_that_is_left_out_is_an_empty_one_and_a_number_is_none(desk: Running) -> None:
    (empty,) = desk.predict({"age": 61, "letter": ""}).json()["predictions"]
    alone = {"inputs": [{"name": "age", "datatype": "INT64", "shape": [1], "data": [61]}]}
    assert infer(desk, json=alone).json()["outputs"][0]["data"] == [empty["score"]]
    wrong = infer(desk, json={"inputs": [*alone["inputs"], {**alone["inputs"][0], "name": "letter"}]})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "tensor_type")
