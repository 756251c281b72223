"""The Model folder: the one format that ``train`` writes and ``validate`` and ``serve`` read.

A model is data, an ONNX graph; or, where the project consents to it, Python code that never runs in this process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from drivetrain.core.arrays import from_npy, to_npy
from drivetrain.core.conversation import ChatPlan
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import DecisionRule, Environment, Interval, Reference, Rule, Signature, TrainingSummary
from drivetrain.core.sessions import GRAPH_ERRORS, open_session
from drivetrain.store.code_models import CODE, CodeEntry, CodeScorer, ModelCode
from drivetrain.store.folders import read_folder

T = TypeVar("T")
GRAPH = "model.onnx"
ENTRY = "entry.json"
EXPECTED = "expected.npy"
INTERVAL = "interval.json"
RULES = "rules.json"
BACKTEST = "backtest.npy"
TEXTS, KNOWLEDGE, ITEMS = "texts/", "knowledge/", "items/"
CHAT = "chat.json"


@dataclass(frozen=True)
class ModelContent:
    """Everything in a Model folder. ``graph`` is the ONNX graph, see ``core.model``; of ``code`` it is empty.

    ``expected`` ([m], or [m, K] of classes) is what the trained pipeline answers for the first m rows of the test part,
    in table order. ``interval`` is that of a number, ``backtest`` what was estimated at earlier origins; ``texts`` are
    the files of the encoders of free texts, see ``ops.text``; ``knowledge`` those of what the service searches, see
    ``ops.knowledge``; ``items`` those of a retriever, see ``ops.retriever``; ``chat`` is how it talks.
    """

    graph: bytes
    expected: NDArray[np.float64]
    signature: Signature
    reference: Reference
    decision: DecisionRule
    training: TrainingSummary
    environment: Environment
    code: ModelCode | None = None
    interval: Interval | None = None
    backtest: NDArray[np.float64] | None = None
    texts: Mapping[str, bytes] = field(default_factory=dict)
    knowledge: Mapping[str, bytes] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    items: Mapping[str, bytes] = field(default_factory=dict)
    chat: ChatPlan | None = None

    def files(self) -> dict[str, bytes]:
        """The files of the folder; the same content gives the same bytes."""
        return {
            **({GRAPH: self.graph} if self.code is None else _code_files(self.code)),
            EXPECTED: to_npy(self.expected),
            "signature.json": _json(self.signature),
            "reference.json": _json(self.reference),
            "decision.json": _json(self.decision),
            "training.json": _json(self.training),
            "environment.json": _json(self.environment),
            **({} if self.interval is None else {INTERVAL: _json(self.interval)}),
            **({RULES: _json(self.rules)} if self.rules else {}),
            **({} if self.backtest is None else {BACKTEST: to_npy(self.backtest)}),
            **({} if self.chat is None else {CHAT: _json(self.chat)}),
            **self.texts,
            **self.knowledge,
            **self.items,
        }


def read_model(folder: Path) -> ModelContent:
    """The content of a Model folder; raises InvalidInput that names the file that cannot be used."""
    return model_from(read_folder(folder), str(folder))


def model_from(files: dict[str, bytes], where: str) -> ModelContent:
    """The content of a Model folder that was read (and, in a release, checked) already."""
    code = _code(files, where) if ENTRY in files else None
    return ModelContent(
        graph=_file(files, GRAPH, where) if code is None else b"",
        expected=_array(files, EXPECTED, where),
        signature=_read(files, "signature.json", Signature, where),
        reference=_read(files, "reference.json", Reference, where),
        decision=_read(files, "decision.json", DecisionRule, where),
        training=_read(files, "training.json", TrainingSummary, where),
        environment=_read(files, "environment.json", Environment, where),
        code=code,
        interval=_read(files, INTERVAL, Interval, where) if INTERVAL in files else None,
        rules=_read(files, RULES, tuple[Rule, ...], where) if RULES in files else (),
        backtest=_array(files, BACKTEST, where) if BACKTEST in files else None,
        chat=_read(files, CHAT, ChatPlan, where) if CHAT in files else None,
        texts={name: content for name, content in files.items() if name.startswith(TEXTS)},
        knowledge={name: content for name, content in files.items() if name.startswith(KNOWLEDGE)},
        items={name: content for name, content in files.items() if name.startswith(ITEMS)},
    )


class ModelScorer(Protocol):
    """A model ready to score, whatever it is."""

    @property
    def in_process(self) -> bool:
        """Whether it runs in the process that asks, so that whatever harms it harms that process."""
        ...

    @property
    def processes(self) -> int:
        """How many processes of its own it runs in; 0 when it runs in this one."""
        ...

    @property
    def broken(self) -> bool:
        """Whether it lost its processes again and again, so that it is better not asked."""
        ...

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the model answers to packed rows: [n, F] -> [n], or [n, K]. Raises InvalidInput or Transient."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


def open_scorer(content: ModelContent, *, processes: int | None = None, seconds: float | None = None) -> ModelScorer:
    """The model of a folder, ready to score; to be closed.

    ``processes`` and ``seconds`` (for a call) are for code, and those of the model when not given. Raises InvalidInput
    when the model cannot be loaded, Transient when its code crashes or hangs on the way.
    """
    if content.code is None:
        return Scorer(content.graph)
    return CodeScorer(content.code, content.signature, processes=processes, seconds=seconds)


class Scorer:
    """An ONNX graph ready to score."""

    in_process = True
    processes = 0
    broken = False

    def __init__(self, graph: bytes) -> None:
        self._session = open_session(graph, GRAPH)

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """See ``ModelScorer``. Raises InvalidInput when the graph does not run."""
        try:
            (scores,) = self._session.run(["score"], {"row": rows})
        except GRAPH_ERRORS as error:
            raise InvalidInput("graph_failed", f"the model graph does not run: {error}", where=GRAPH) from error
        answer = np.asarray(scores, dtype=np.float64)
        return answer if answer.ndim == 2 and answer.shape[1] > 1 else answer.reshape(-1)

    def close(self) -> None:
        """Nothing to let go of: a graph holds memory only."""


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=1) + b"\n"


def _code_files(code: ModelCode) -> dict[str, bytes]:
    return {ENTRY: _json(code.entry), **{CODE + name: content for name, content in code.files.items()}}


def _code(files: dict[str, bytes], where: str) -> ModelCode:
    entry = _read(files, ENTRY, CodeEntry, where)
    code = {name.removeprefix(CODE): content for name, content in files.items() if name.startswith(CODE)}
    _file(files, CODE + entry.function.partition(":")[0], where)
    return ModelCode(entry, code)


def _array(files: dict[str, bytes], name: str, where: str) -> NDArray[np.float64]:
    try:
        return from_npy(_file(files, name, where))
    except ValueError as error:
        raise InvalidInput("model_unreadable", f"{name}: {error}", where=where, hint="train again") from error


def _file(files: dict[str, bytes], name: str, where: str) -> bytes:
    if name not in files:
        raise InvalidInput("model_incomplete", f"{name} is missing", where=where, hint="train the model again")
    return files[name]


def _read(files: dict[str, bytes], name: str, kind: type[T], where: str) -> T:
    try:
        return read_json(_file(files, name, where), kind)
    except msgspec.DecodeError as error:
        raise InvalidInput("model_unreadable", f"{name}: {error}", where=where, hint="train the model again") from error
