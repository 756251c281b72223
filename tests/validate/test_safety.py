from __future__ import annotations

import pickle
from dataclasses import replace
from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from drivetrain.core.errors import InvalidInput, Tampered
from drivetrain.core.project import GatesSpec
from drivetrain.core.task import Task
from drivetrain.store.folders import read_folder
from drivetrain.testing.code_models import good_code
from drivetrain.testing.parcels import parcel_graph
from drivetrain.validate.safety import safety


def _files(world):
    return {file.name: file.read_bytes() for file in world.catalog.folder(world.model().ref).iterdir()}


def _result(world, model):
    (result,) = safety(world.evidence(GatesSpec(), model)).results
    return result


def _changed_graph(world, change):
    def changed(content):
        graph = onnx.load_model_from_string(content.graph)
        change(graph)
        return replace(content, graph=graph.SerializeToString())

    return _result(world, world.model(changed))


def test_a_model_of_data_is_safe(world):
    result = _result(world, world.model())
    assert (result.verdict, result.measured) == ("pass", None)
    assert "7 data files" in result.detail


def _loop(graph):
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["still"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("still", TensorProto.BOOL, [])],
    )
    graph.graph.initializer.append(numpy_helper.from_array(np.array(2**62), "turns"))
    graph.graph.node.append(helper.make_node("Loop", ["turns", ""], [], body=body))


def _foreign(graph):
    graph.opset_import.append(helper.make_opsetid("com.evil", 1))
    graph.graph.node.append(helper.make_node("Run", ["row"], ["done"], domain="com.evil"))


def _random(graph):
    graph.graph.node.append(helper.make_node("RandomNormalLike", ["row"], ["noise"]))


def _external(graph):
    tensor = graph.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.append(onnx.StringStringEntryProto(key="location", value="../../../etc/passwd"))


def _function(graph):
    graph.functions.append(
        helper.make_function(
            "own", "f", ["x"], ["y"], [helper.make_node("Abs", ["x"], ["y"])], [helper.make_opsetid("", 18)]
        )
    )


def _doubling(graph):
    names = ["row", *(f"twice_{number}" for number in range(40))]
    for name, twice in pairwise(names):
        graph.graph.node.append(helper.make_node("Concat", [name, name], [twice], axis=1))


def _second_input(graph):
    graph.graph.input.append(helper.make_tensor_value_info("more", TensorProto.DOUBLE, [None, 1]))


def _float_input(graph):
    graph.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def _narrow_input(graph):
    graph.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4


def _other_output(graph):
    graph.graph.output[0].name = "column"


def _cyclic(graph):
    graph.graph.node[0].input[0] = "score"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_loop, "the operator Loop"),
        (_foreign, "operators of 'com.evil'"),
        (_random, "the operator RandomNormalLike"),
        (_external, "another file"),
        (_function, "functions of its own"),
        (_doubling, "numbers for one row"),
        (_second_input, "the input is not `row`"),
        (_float_input, "the input is not `row`"),
        (_narrow_input, "the input is not `row`"),
        (_other_output, "the output is not `score`"),
        (_cyclic, "not a valid graph"),
    ],
)
def test_a_graph_that_is_more_than_arithmetic_is_refused(world, change, reason):
    result = _changed_graph(world, change)
    assert result.verdict == "fail"
    assert reason in result.detail


def test_a_loop_is_not_even_hidden_behind_an_allowed_name(world):
    def hide(graph):
        _loop(graph)
        graph.graph.node[-1].op_type = "Identity"

    assert "a graph inside the graph" in _changed_graph(world, hide).detail


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("extra.npy", pickle.dumps([1]), "extra.npy is a pickle"),
        ("extra.npy", b"PK\x03\x04", "extra.npy is not a NumPy array"),
        ("load.py", b"import os", "load.py is no data file"),
        ("more.json", b"{", "more.json is not JSON"),
        ("model.onnx", pickle.dumps({"a": 1}), "model.onnx is a pickle"),
        ("model.onnx", b"nonsense", "not a valid graph"),
    ],
)
def test_a_file_that_is_not_the_data_it_should_be_is_refused(world, name, content, reason):
    result = _result(world, world.keep(_files(world) | {name: content}))
    assert result.verdict == "fail"
    assert reason in result.detail


CONSENT = GatesSpec(allow_code="the tariff is the regulator's")


def _code(world, **more):
    made = good_code().code
    return world.model(lambda content: replace(content, graph=b"", code=replace(made, files={**made.files, **more})))


def test_code_is_refused_until_the_project_says_why_it_may_be(world):
    model = _code(world)
    result = _result(world, model)
    assert result.verdict == "fail"
    assert "Python code (scoring.py:score); gates.allow_code has to say why" in result.detail
    (result,) = safety(world.evidence(CONSENT, model)).results
    assert result.verdict == "pass"
    assert "runs scoring.py:score" in result.detail
    assert "2 s a call; consent: the tariff is the regulator's" in result.detail


def test_consent_is_for_the_folder_of_the_code_and_nothing_else(world):
    pickled = _code(world, **{"weights.pkl": pickle.dumps([1])})
    (result,) = safety(world.evidence(CONSENT, pickled)).results
    assert result.verdict == "pass", "what the code does with its files is the code's doing"
    files = read_folder(world.catalog.folder(_code(world).ref))
    beside = world.keep(files | {"load.py": b"import os"})
    (result,) = safety(world.evidence(CONSENT, beside)).results
    assert "load.py is no data file" in result.detail
    (result,) = safety(world.evidence(CONSENT, world.keep(_files(world) | {"load.py": b""}))).results
    assert "load.py is no data file" in result.detail


def test_a_pickle_inside_a_numpy_file_is_refused(world):
    model = world.keep(_files(world) | {"expected.npy": b"\x93NUMPY\x01\x00" + pickle.dumps([1])})
    with pytest.raises(InvalidInput, match=r"expected\.npy"):
        safety(world.evidence(GatesSpec(), model))


def test_a_folder_that_is_not_as_it_was_trained_is_refused(world):
    model = world.model()
    (world.catalog.folder(model.ref) / "decision.json").write_bytes(b"{}")
    with pytest.raises(Tampered, match=r"decision.json is not what was signed"):
        safety(world.evidence(GatesSpec(), model))


def test_a_model_of_classes_answers_all_of_them(carriers):
    assert _result(carriers, carriers.model()).verdict == "pass"
    poorer = carriers.model(lambda content: replace(content, graph=parcel_graph(Task.CLASSES, ("bike", "lorry"))))
    assert _result(carriers, poorer).detail == "the output is not `score`, float [n, 3]"


def test_a_model_of_a_number_brings_its_interval(days):
    assert "8 data files" in _result(days, days.model()).detail
    bare = days.model(lambda content: replace(content, interval=None))
    assert "interval.json is missing" in _result(days, bare).detail
