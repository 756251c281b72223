"""A sentence-transformers model of the BERT family (Reimers & Gurevych 2019) as one ONNX graph of standard operators.

From the folder that such a model is saved in: ``config.json``, ``vocab.txt`` and ``model.safetensors``, which is a
header of JSON and raw numbers. Mean pooling and the division by the length are in the graph, padding is not needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from drivetrain.core.decoding import read_json
from drivetrain.core.errors import InvalidInput
from drivetrain.ops.embedding import EMBEDDING, NUMBERS, Embedding
from drivetrain.train.graph import IR, OPSET, constant

Tensors = Mapping[str, NDArray[np.float32]]
CONFIG, VOCABULARY, TENSORS = "config.json", "vocab.txt", "model.safetensors"
_TYPES: Mapping[str, str] = {"F32": "<f4", "F16": "<f2", "I64": "<i8"}


@dataclass(frozen=True)
class BertShape:
    """What ``config.json`` says that the graph depends on."""

    hidden_size: int
    num_attention_heads: int
    num_hidden_layers: int
    layer_norm_eps: float
    hidden_act: str = "gelu"
    model_type: str = "bert"


def read_embedding(folder: Path, most: int = 256) -> Embedding:
    """The model in a folder. Raises InvalidInput when it is another kind of model or a file is missing or damaged."""
    try:
        return make_embedding({name: (folder / name).read_bytes() for name in (CONFIG, VOCABULARY, TENSORS)}, most)
    except (OSError, ValueError, KeyError, msgspec.DecodeError) as error:
        raise InvalidInput(
            "embedding_unreadable",
            f"this is no BERT model of sentence-transformers: {error}",
            where=str(folder),
            hint=f"name a folder with {CONFIG}, {VOCABULARY} and {TENSORS}",
        ) from error


def make_embedding(files: Mapping[str, bytes], most: int = 256) -> Embedding:
    """The model in these files. Raises ValueError, KeyError or msgspec.DecodeError when they hold another."""
    shape = read_json(files[CONFIG], BertShape)
    pieces = tuple(files[VOCABULARY].decode().splitlines())
    tensors = read_safetensors(files[TENSORS])
    if (shape.model_type, shape.hidden_act) != ("bert", "gelu"):
        raise ValueError(f"it is {shape.model_type} with {shape.hidden_act}")
    if len(pieces) != len(tensors["embeddings.word_embeddings.weight"]):
        raise ValueError(f"{VOCABULARY} has {len(pieces)} pieces")
    return Embedding(embedding_graph(tensors, shape), pieces, most)


def read_safetensors(content: bytes) -> dict[str, NDArray[np.float32]]:
    """The named arrays of a file. Raises ValueError or KeyError when it is damaged or holds other types."""
    size = int.from_bytes(content[:8], "little")
    header = read_json(content[8 : 8 + size], dict[str, _Tensor])
    data = content[8 + size :]
    return {
        name: np.frombuffer(data[slice(*entry.data_offsets)], _TYPES[entry.dtype])
        .reshape(entry.shape)
        .astype(np.float32)
        for name, entry in header.items()
        if entry.dtype
    }


class _Tensor(msgspec.Struct):
    """Where a tensor lies; the entry with notes of whoever saved the file has no type."""

    dtype: str = ""
    shape: tuple[int, ...] = ()
    data_offsets: tuple[int, int] = (0, 0)


def embedding_graph(tensors: Tensors, shape: BertShape) -> bytes:
    """The graph's bytes, weights as half floats (they are cast once, when the graph is loaded)."""
    drawn = _Drawing(shape)
    x = drawn.layer_norm(drawn.embedded(tensors), tensors, "embeddings.LayerNorm")
    for number in range(shape.num_hidden_layers):
        layer = f"encoder.layer.{number}."
        x = drawn.layer_norm(
            drawn.add(x, drawn.attended(x, tensors, layer)), tensors, f"{layer}attention.output.LayerNorm"
        )
        x = drawn.layer_norm(drawn.add(x, drawn.thought(x, tensors, layer)), tensors, f"{layer}output.LayerNorm")
    drawn.pooled(x)
    graph = helper.make_graph(
        drawn.nodes,
        "embedding",
        [helper.make_tensor_value_info(NUMBERS, TensorProto.INT64, ["t"])],
        [helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, [1, shape.hidden_size])],
        drawn.constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="drivetrain"
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


@dataclass
class _Drawing:
    """A graph that grows node by node; every method gives the name of what it made."""

    shape: BertShape
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def node(self, kind: str, *inputs: str, **attributes: int | float | list[int]) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))  # type: ignore[arg-type]  # its own names come first
        return name

    def weights(self, values: NDArray[np.float32]) -> str:
        name = f"weights_{len(self.constants)}"
        self.constants.append(constant(name, values, np.float16))
        return self.node("Cast", name, to=TensorProto.FLOAT)

    def fixed(self, values: object, kind: type[np.generic]) -> str:
        name = f"fixed_{len(self.constants)}"
        self.constants.append(constant(name, np.asarray(values), kind))
        return name

    def add(self, left: str, right: str) -> str:
        return self.node("Add", left, right)

    def dense(self, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        return self.add(self.node("MatMul", x, self.weights(weight.T)), self.weights(bias))

    def layer_norm(self, x: str, tensors: Tensors, name: str) -> str:
        scale, bias = (self.weights(tensors[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.node("LayerNormalization", x, scale, bias, axis=-1, epsilon=self.shape.layer_norm_eps)

    def embedded(self, tensors: Tensors) -> str:
        """Word, position and the first kind of sentence, added."""
        word, place, kind = (
            self.weights(tensors[f"embeddings.{name}_embeddings.weight"]) for name in ("word", "position", "token_type")
        )
        first, axis = self.fixed([0], np.int64), self.fixed([0], np.int64)
        places = self.node("Slice", place, first, self.node("Shape", NUMBERS), axis)
        words = self.add(self.node("Gather", word, NUMBERS, axis=0), places)
        return self.add(words, self.node("Gather", kind, first, axis=0))

    def attended(self, x: str, tensors: Tensors, layer: str) -> str:
        """Self-attention: each piece looks at all others (Vaswani et al. 2017)."""
        size, heads = self.shape.hidden_size, self.shape.num_attention_heads
        split = self.fixed([-1, heads, size // heads], np.int64)
        turned = {}
        for part, order in (("query", [1, 0, 2]), ("key", [1, 2, 0]), ("value", [1, 0, 2])):
            weight, bias = (tensors[f"{layer}attention.self.{part}.{kind}"] for kind in ("weight", "bias"))
            turned[part] = self.node("Transpose", self.node("Reshape", self.dense(x, weight, bias), split), perm=order)
        scores = self.node("MatMul", turned["query"], turned["key"])
        scale = self.fixed(math.sqrt(size // heads), np.float32)
        seen = self.node("MatMul", self.node("Softmax", self.node("Div", scores, scale), axis=-1), turned["value"])
        joined = self.node("Reshape", self.node("Transpose", seen, perm=[1, 0, 2]), self.fixed([-1, size], np.int64))
        return self.dense(joined, *(tensors[f"{layer}attention.output.dense.{kind}"] for kind in ("weight", "bias")))

    def thought(self, x: str, tensors: Tensors, layer: str) -> str:
        """Two dense layers with ``gelu(x) = x * (1 + erf(x / sqrt 2)) / 2`` between them (Hendrycks & Gimpel 2016)."""
        inner = self.dense(x, *(tensors[f"{layer}intermediate.dense.{kind}"] for kind in ("weight", "bias")))
        erf = self.node("Erf", self.node("Div", inner, self.fixed(math.sqrt(2.0), np.float32)))
        gated = self.node("Mul", inner, self.add(erf, self.fixed(1.0, np.float32)))
        gelu = self.node("Mul", gated, self.fixed(0.5, np.float32))
        return self.dense(gelu, *(tensors[f"{layer}output.dense.{kind}"] for kind in ("weight", "bias")))

    def pooled(self, x: str) -> None:
        """The mean over the pieces, divided by its length."""
        mean = self.node("ReduceMean", x, self.fixed([0], np.int64), keepdims=1)
        length = self.node("ReduceL2", mean, self.fixed([1], np.int64), keepdims=1)
        self.nodes.append(helper.make_node("Div", [mean, length], [EMBEDDING]))
