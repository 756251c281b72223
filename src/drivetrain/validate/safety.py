"""The gate of model file safety: a model is data; to load and score it runs no code, reads no file, and stays small.

The folder may hold only data files, exactly those that were trained. The graph may use only the standard operators
of ``operators.txt``, none of which can loop, call, or draw random numbers, and no tensor of one row may be huge.

A model that is Python code passes only when the project consents to it and says why (``gates.allow_code``): nobody can
tell from outside what code does, so that is a person's decision, and it stands in the report that is signed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from math import prod

import msgspec
import onnx
from google.protobuf.message import DecodeError
from onnx.checker import ValidationError
from onnx.shape_inference import InferenceError

from drivetrain.core.artifacts import GateResult, Verdict
from drivetrain.core.errors import examples
from drivetrain.core.model import Signature
from drivetrain.core.task import Task
from drivetrain.store.code_models import CODE
from drivetrain.store.folders import check_files
from drivetrain.store.models import ENTRY, GRAPH, INTERVAL
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import SAFETY, Finding

_MOST_BYTES = 512 * 1024 * 1024
_MOST_NODES = 20_000
_MOST_NUMBERS = 4_000_000
"""Numbers in one tensor for one row; a graph of allowed operators can still double what it holds with every node."""
_PICKLE = b"\x80"
Shape = tuple[int | None, ...]
"""Lengths of the sides, None for one of any length."""
Door = tuple[str, int, Shape]
"""A graph's input or output: name, element type, shape."""
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_OPERATORS = frozenset(files("drivetrain.validate").joinpath("operators.txt").read_text(encoding="utf-8").split())


def safety(evidence: Evidence) -> Finding:
    """Whether the model folder is safe to load: its files, its operators, its sizes, its input and output."""
    check_files(evidence.files, evidence.model.files, str(evidence.model.ref))
    problems = [*_file_problems(evidence.files)]
    size = sum(len(content) for content in evidence.files.values()) / 1024
    if ENTRY in evidence.files:
        asked = "code only by consent, in processes of its own"
        problems = problems or [*_consent_problems(evidence)]
        fine = "" if problems else _consented(evidence, size)
    else:
        asked = "data only, nothing that runs or grows"
        problems = problems or [*_graph_problems(evidence), *_interval_problems(evidence)]
        fine = f"{len(evidence.files)} data files, {size:,.0f} KiB, standard operators only"
    verdict: Verdict = "fail" if problems else "pass"
    return Finding((GateResult(SAFETY, verdict, None, asked, examples(problems) or fine),))


def _consent_problems(evidence: Evidence) -> Iterator[str]:
    if evidence.spec.allow_code is None:
        function = "" if evidence.content.code is None else f" ({evidence.content.code.entry.function})"
        yield f"the model is Python code{function}; gates.allow_code has to say why it may be"


def _consented(evidence: Evidence, size: float) -> str:
    """What runs, in which limits, and why it may."""
    assert evidence.content.code is not None
    entry, files = evidence.content.code.entry, evidence.content.code.files
    memory = "" if entry.memory_mb is None else f", {entry.memory_mb:,} MiB"
    return (
        f"runs {entry.function} and what it brings ({len(files)} files, {size:,.0f} KiB), at most {entry.seconds:g} s "
        f"a call{memory}; consent: {evidence.spec.allow_code}"
    )


def _file_problems(contents: Mapping[str, bytes]) -> Iterator[str]:
    if sum(len(content) for content in contents.values()) > _MOST_BYTES:
        yield f"the folder is larger than {_MOST_BYTES // 1024 // 1024} MiB"
    code = ENTRY in contents
    for name, content in contents.items():
        kind = name.rpartition(".")[2]
        if code and name.startswith(CODE):
            continue
        if content.startswith(_PICKLE):
            yield f"{name} is a pickle, which runs code when it is read"
        elif kind == "json" and not _is_json(content):
            yield f"{name} is not JSON"
        elif kind == "npy" and not content.startswith(b"\x93NUMPY"):
            yield f"{name} is not a NumPy array"
        elif kind not in ("json", "npy", "onnx"):
            yield f"{name} is no data file of a model"


def _is_json(content: bytes) -> bool:
    try:
        msgspec.json.decode(content)
    except msgspec.DecodeError:
        return False
    return True


def _graph_problems(evidence: Evidence) -> Iterator[str]:
    try:
        graph = onnx.load_model_from_string(evidence.content.graph)
        yield from _operator_problems(graph)
        yield from _door_problems(graph, evidence.content.signature)
        onnx.checker.check_model(graph, full_check=True)
        yield from _growth(graph)
    except (DecodeError, ValidationError, InferenceError) as error:
        yield f"{GRAPH} is not a valid graph: {str(error).strip().splitlines()[0]}"


def _interval_problems(evidence: Evidence) -> Iterator[str]:
    if evidence.content.signature.task is Task.NUMBER and evidence.content.interval is None:
        yield f"{INTERVAL} is missing, without which nobody can say how sure an estimated number is"


def _operator_problems(model: onnx.ModelProto) -> Iterator[str]:
    if model.functions or model.training_info:
        yield "the graph brings functions of its own"
    if len(model.graph.node) > _MOST_NODES:
        yield f"the graph has more than {_MOST_NODES:,} nodes"
    foreign = {entry.domain for entry in model.opset_import} | {node.domain for node in model.graph.node}
    yield from (f"operators of {domain!r}" for domain in sorted(foreign - set(_DOMAINS)))
    unknown = {node.op_type for node in model.graph.node} - _OPERATORS
    yield from (f"the operator {name}" for name in sorted(unknown))
    attributes = [attribute for node in model.graph.node for attribute in node.attribute]
    if any(attribute.type in (attribute.GRAPH, attribute.GRAPHS) for attribute in attributes):
        yield "a graph inside the graph"
    tensors = [
        *model.graph.initializer,
        *(attribute.t for attribute in attributes if attribute.type == attribute.TENSOR),
    ]
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data for tensor in tensors):
        yield "numbers that lie in another file"


def _door_problems(model: onnx.ModelProto, signature: Signature) -> Iterator[str]:
    """The input must be ``row`` float64 [any, F], the output ``score`` float [any] or [any, 1]; of classes [any, K]."""
    inputs, classes = len(signature.inputs), len(signature.classes)
    fixed = {tensor.name for tensor in model.graph.initializer}
    taken = [_door(value) for value in model.graph.input if value.name not in fixed]
    if taken != [("row", onnx.TensorProto.DOUBLE, (None, inputs))]:
        yield f"the input is not `row`, float64 [n, {inputs}]"
    given = [_door(value) for value in model.graph.output]
    shapes: tuple[Shape, ...] = ((None, classes),) if signature.task is Task.CLASSES else ((None,), (None, 1))
    types = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
    if len(given) != 1 or given[0][0] != "score" or given[0][1] not in types or given[0][2] not in shapes:
        yield f"the output is not `score`, float [n{f', {classes}' if signature.task is Task.CLASSES else ''}]"


def _door(value: onnx.ValueInfoProto) -> Door:
    kind = value.type.tensor_type
    shape = tuple(side.dim_value if side.HasField("dim_value") else None for side in kind.shape.dim)
    return value.name, kind.elem_type, shape


def _growth(model: onnx.ModelProto) -> Iterator[str]:
    """Tensors that one row makes huge, by shape inference with a batch of one."""
    single = onnx.ModelProto()
    single.CopyFrom(model)
    single.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    del single.graph.value_info[:]
    known = onnx.shape_inference.infer_shapes(single, check_type=True, strict_mode=True, data_prop=True)
    for value in known.graph.value_info:
        numbers = prod(side.dim_value or 1 for side in value.type.tensor_type.shape.dim)
        if numbers > _MOST_NUMBERS:
            yield f"{value.name} holds {numbers:,} numbers for one row"
            return
