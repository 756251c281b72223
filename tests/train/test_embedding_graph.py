"""The graph computes what BERT is: held against the same in NumPy, on a small model with weights drawn by chance."""

import json
import math
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.text import TextEncoder, encoder_from
from drivetrain.train.embedding_graph import BertShape, read_embedding, read_safetensors

SHAPE = BertShape(hidden_size=8, num_attention_heads=2, num_hidden_layers=2, layer_norm_eps=1e-12)
PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "card", "lost", "top", "##up", "!")
TEXTS = ("card lost!", "topup", "", "nothing known", "card " * 50)


def tensors():
    chance = np.random.default_rng(0)
    size, inner = SHAPE.hidden_size, 16
    found = {}

    def dense(name, rows, columns):
        found[f"{name}.weight"] = chance.normal(size=(rows, columns))
        found[f"{name}.bias"] = chance.normal(size=rows)

    def norm(name):
        found[f"{name}.weight"], found[f"{name}.bias"] = chance.normal(1, 0.1, size), chance.normal(0, 0.1, size)

    for name, rows in (("word", len(PIECES)), ("position", 12), ("token_type", 2)):
        found[f"embeddings.{name}_embeddings.weight"] = chance.normal(size=(rows, size))
    norm("embeddings.LayerNorm")
    for layer in (f"encoder.layer.{number}." for number in range(SHAPE.num_hidden_layers)):
        for part in ("query", "key", "value"):
            dense(f"{layer}attention.self.{part}", size, size)
        dense(f"{layer}attention.output.dense", size, size)
        dense(f"{layer}intermediate.dense", inner, size)
        dense(f"{layer}output.dense", size, inner)
        norm(f"{layer}attention.output.LayerNorm")
        norm(f"{layer}output.LayerNorm")
    return {name: values.astype(np.float16).astype(np.float32) for name, values in found.items()}


def safetensors(arrays):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, values in arrays.items():
        raw = values.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": values.shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + data


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({**vars(SHAPE), "vocab_size": len(PIECES)}))
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(safetensors(tensors()))
    return tmp_path


def in_numpy(numbers):
    t = {name: values.astype(float) for name, values in tensors().items()}

    def dense(x, name):
        return x @ t[f"{name}.weight"].T + t[f"{name}.bias"]

    def norm(x, name):
        middle = x - x.mean(axis=1, keepdims=True)
        return (
            middle / np.sqrt((middle**2).mean(axis=1, keepdims=True) + 1e-12) * t[f"{name}.weight"] + t[f"{name}.bias"]
        )

    x = t["embeddings.word_embeddings.weight"][numbers] + t["embeddings.position_embeddings.weight"][: len(numbers)]
    x = norm(x + t["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in (f"encoder.layer.{number}." for number in range(2)):
        q, k, v = (dense(x, f"{layer}attention.self.{part}") for part in ("query", "key", "value"))
        seen = []
        for head in (slice(0, 4), slice(4, 8)):
            scores = np.exp(q[:, head] @ k[:, head].T / 2.0)
            seen.append(scores / scores.sum(axis=1, keepdims=True) @ v[:, head])
        x = norm(x + dense(np.hstack(seen), f"{layer}attention.output.dense"), f"{layer}attention.output.LayerNorm")
        inner = dense(x, f"{layer}intermediate.dense")
        gelu = inner * (1 + np.vectorize(math.erf)(inner / math.sqrt(2))) / 2
        x = norm(x + dense(gelu, f"{layer}output.dense"), f"{layer}output.LayerNorm")
    mean = x.mean(axis=0)
    return mean / np.linalg.norm(mean)


def test_the_graph_is_bert(folder):
    embedding = read_embedding(folder, most=12)
    assert embedding.width == SHAPE.hidden_size
    for text in TEXTS:
        numbers = embedding.pieces.numbers(text)
        assert embedding.of(text) == pytest.approx(in_numpy(numbers), abs=1e-5), text


def test_an_encoder_with_an_embedding_travels_as_files(folder):
    embedding = read_embedding(folder, most=12)
    weights = np.random.default_rng(1).normal(size=(embedding.width, 3)).astype(np.float32)
    encoder = TextEncoder((), weights, np.array([1.0, 2.0, 3.0]), embedding=embedding)
    again = encoder_from(encoder.files("m/"), "m/")
    assert again.encode(TEXTS).tobytes() == encoder.encode(TEXTS).tobytes()
    expected = np.vstack([embedding.of(text) for text in TEXTS]) @ weights + [1.0, 2.0, 3.0]
    assert np.allclose(encoder.encode(TEXTS), expected, atol=1e-9)


@pytest.mark.parametrize("file", ["config.json", "vocab.txt", "model.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xff\xff\xff\xff\xff\xff\xff"])
def test_another_folder_is_refused(folder, file, content):
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(InvalidInput, match="sentence-transformers"):
        read_embedding(folder)


def test_another_kind_of_model_is_refused(folder):
    (folder / "config.json").write_text(json.dumps({**vars(SHAPE), "model_type": "gpt2"}))
    with pytest.raises(InvalidInput, match="gpt2"):
        read_embedding(folder)


@given(content=st.binary(max_size=64))
def test_damaged_tensors_raise_what_the_reader_expects(content):
    with suppress(ValueError, KeyError):
        read_safetensors(content)
