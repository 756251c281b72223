"""A text as a few numbers: the margins of a linear model over its terms and, where there is an embedding, its meaning.

The bulk of a text model, hundreds of thousands of weights, lies here as data; whatever follows sees W columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import msgspec
import numpy as np
from numpy.typing import NDArray

from drivetrain.core.arrays import from_npy, to_npy
from drivetrain.core.decoding import read_json
from drivetrain.ops.embedding import Embedding
from drivetrain.ops.model_files import reading
from drivetrain.ops.text_features import Numbers, TermWeights, TfIdf
from drivetrain.ops.text_scope import Scope, scope_from
from drivetrain.ops.text_terms import Terms

_SPEC, _IDF, _WEIGHTS, _INTERCEPT = "encoder.json", "idf.npy", "weights.npy", "intercept.npy"
_GRAPH = "embedding.onnx"


@dataclass(frozen=True, eq=False)
class TextEncoder:
    """Turns a text into ``intercept + sum(value * weights[feature])``.

    The features are the TF-IDF of the terms of every block, one block after another, and the embedding last.
    ``weights`` is float32 [V, W], ``intercept`` float64 [W]. With a ``scope`` one column more says how likely the text
    is about none of the classes.
    """

    blocks: tuple[TermWeights, ...]
    weights: NDArray[np.float32]
    intercept: Numbers
    sublinear: bool = True
    embedding: Embedding | None = None
    scope: Scope | None = None

    @property
    def width(self) -> int:
        """How many columns a text becomes: W, and one for the scope."""
        return len(self.intercept) + (self.scope is not None)

    def encode(self, texts: Sequence[str | None]) -> Numbers:
        """[n] texts to margins [n, W]; a missing text counts as an empty one. No text changes what another becomes."""
        margins = np.empty((len(texts), self.width))
        for row, text in enumerate(texts):
            margins[row] = self._margins(text or "")
        return margins

    def files(self, prefix: str = "") -> dict[str, bytes]:
        """The encoder as files whose names begin with ``prefix``; the same encoder gives the same bytes."""
        embedding = self.embedding
        spec = _Spec(
            blocks=[_Block(block.terms, block.known) for block in self.blocks],
            sublinear=self.sublinear,
            pieces=embedding.vocabulary if embedding else (),
            most_pieces=embedding.most if embedding else 0,
        )
        found = {
            _SPEC: msgspec.json.encode(spec) + b"\n",
            _IDF: to_npy(np.concatenate([np.empty(0), *(block.idf for block in self.blocks)])),
            _WEIGHTS: to_npy(self.weights),
            _INTERCEPT: to_npy(self.intercept),
        }
        if embedding:
            found[_GRAPH] = embedding.graph
        if self.scope:
            found |= self.scope.files()
        return {prefix + name: content for name, content in found.items()}

    @cached_property
    def _tf_idf(self) -> TfIdf:
        return TfIdf(self.blocks, sublinear=self.sublinear)

    def _margins(self, text: str) -> Numbers:
        ids, values = self._tf_idf.of(text)
        margins = self.intercept + values @ self.weights.take(ids, axis=0)
        if self.embedding:
            meaning = self.embedding.of(text)
            margins = margins + meaning @ self.weights[-self.embedding.width :]
            if self.scope:
                margins = np.append(margins, self.scope.log_odds(margins[None], meaning[None]))
        return margins


Encoders = Mapping[str, TextEncoder]
"""The encoders of a model, by the name of the free text that each of them reads."""
NO_ENCODERS: Encoders = MappingProxyType({})


def encoder_files(encoders: Encoders) -> dict[str, bytes]:
    """Encoders as files of a model folder."""
    return {
        name: content for text, encoder in encoders.items() for name, content in encoder.files(_folder(text)).items()
    }


def encoders_from(texts: Sequence[str], files: Mapping[str, bytes]) -> Encoders:
    """The encoders of these free texts among the files of a model folder. Raises InvalidInput as ``encoder_from``."""
    return {text: encoder_from(files, _folder(text)) for text in texts}


def _folder(text: str) -> str:
    return f"texts/{text}/"


class _Block(msgspec.Struct):
    terms: Terms
    known: tuple[str, ...]


class _Spec(msgspec.Struct):
    blocks: list[_Block]
    sublinear: bool
    pieces: tuple[str, ...] = ()
    most_pieces: int = 0


def encoder_from(files: Mapping[str, bytes], prefix: str = "") -> TextEncoder:
    """The encoder that ``files`` holds. Raises InvalidInput when one is missing, damaged or does not fit the others."""
    with reading(prefix):
        spec = read_json(files[prefix + _SPEC], _Spec)
        idf = from_npy(files[prefix + _IDF])
        weights = from_npy(files[prefix + _WEIGHTS]).astype(np.float32)
        intercept = from_npy(files[prefix + _INTERCEPT])
        embedding = Embedding(files[prefix + _GRAPH], spec.pieces, spec.most_pieces) if spec.pieces else None
        scope = scope_from(files, prefix)
        encoder = TextEncoder(_blocks(spec, idf), weights, intercept, spec.sublinear, embedding, scope)
        features = len(idf) + (embedding.width if embedding else 0)
        if weights.shape != (features, len(intercept)):
            raise ValueError(f"weights of {weights.shape} for {features} features and {len(intercept)} columns")
    return encoder


def _blocks(spec: _Spec, idf: Numbers) -> tuple[TermWeights, ...]:
    bounds = np.cumsum([0, *(len(block.known) for block in spec.blocks)])
    if len(idf) != bounds[-1]:
        raise ValueError(f"{len(idf)} weights for {bounds[-1]} terms")
    parts = np.split(idf, bounds[1:-1]) if spec.blocks else []
    return tuple(TermWeights(b.terms, b.known, part) for b, part in zip(spec.blocks, parts, strict=True))
