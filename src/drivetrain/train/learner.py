"""What a learner is: a named way to fit packed rows, a space to search, and an exact export.

A plugin registers a class without arguments under the entry-point group ``drivetrain.learners`` and holds itself
against ``drivetrain.testing.learners``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import optuna
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.model import InputField
from drivetrain.core.task import Task
from drivetrain.ops.metrics import Numbers, Truth
from drivetrain.train.graph import ROW, Subgraph

Fields = tuple[InputField, ...]
Params = Mapping[str, str | int | float | bool | None]
Rows = NDArray[np.intp]

EARLY = "early_stopping"
"""The parameter with which a start or a suggestion asks for held-back rows that say when to stop adding trees."""


@dataclass(frozen=True)
class Sample:
    """Packed rows and their labels: x float64 [n, F] with NaN for missing, y [n] as the task has it.

    ``blocks`` [n] say which rows stay together when some are held back; None where each row may go anywhere.
    ``classes`` says how many classes the task has. What reaches ``Learner.fit`` has at least three, and a case of each
    (``fitting``), unless the learner takes ``any_classes``.
    """

    x: Numbers
    y: Truth
    task: Task = Task.YES_NO
    classes: int = 0
    blocks: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Rows) -> Sample:
        """These rows, in this order."""
        blocks = None if self.blocks is None else self.blocks[rows]
        return replace(self, x=self.x[rows], y=self.y[rows], blocks=blocks)


@dataclass(frozen=True)
class Size:
    """What one row costs to score: comparisons or multiplications, and the trees they lie in (0 if none)."""

    operations: int
    trees: int = 0


class Fitted(Protocol):
    """A learner that has seen its rows."""

    @property
    def rounds(self) -> int:
        """After how many rounds it stopped; 0 when it has none."""
        ...

    @property
    def size(self) -> Size:
        """What serving it costs."""
        ...

    def margin(self, x: Numbers) -> Numbers:
        """What it says of rows [n, F]: log-odds that the target is true [n], classes' margins [n, K], a number [n]."""
        ...

    def to_onnx(self, prefix: str, source: str = ROW) -> Subgraph:
        """The same as ONNX nodes from ``source`` (float64 [n, F]) to float64 [n, 1], or [n, K] of classes."""
        ...


class Learner(Protocol):
    """One framework. Stateless; the same arguments give the same fitted bytes, whatever the number of cores.

    ``fit`` takes missing values (NaN) and unknown categories (code -1) in every column.
    """

    @property
    def tasks(self) -> frozenset[Task]:
        """What it can learn."""
        ...

    @property
    def any_classes(self) -> bool:
        """Whether ``fit`` takes two classes as classes, and samples in which not every class occurs."""
        ...

    @property
    def start(self) -> Params | None:
        """The point of the search space to try right after the library's defaults; None when nothing is searched."""
        ...

    def parameters(self) -> tuple[str, ...] | None:
        """The parameters that a person may fix; None when only the learner itself can tell."""
        ...

    def suggest(self, trial: optuna.trial.BaseTrial) -> Params:
        """A point of the search space."""
        ...

    def settled(self, params: Params, rounds: int) -> Params:
        """The parameters for the final fit, without early stopping, after folds stopped at ``rounds`` on average."""
        ...

    def fit(self, sample: Sample, fields: Fields, params: Params, *, seed: int, stop: Sample | None = None) -> Fitted:
        """Fit; ``stop`` holds rows to stop on when ``params`` asks for it. Empty params are the library's defaults."""
        ...


def check_task(learner: Learner, name: str, task: Task) -> None:
    """Raise InvalidInput when a learner does not know the task."""
    if task not in learner.tasks:
        raise InvalidInput(
            "learner_task",
            f"{name} does not learn `{task}`; it learns {examples(sorted(learner.tasks))}",
            where="model.candidates",
            hint="leave it out, or correct features.task",
        )


class Fixable(Protocol):
    """What has parameters that a person may fix; None when only it itself can tell."""

    def parameters(self) -> tuple[str, ...] | None:
        """Their names."""
        ...


def check_params(learner: Fixable, name: str, params: Params) -> None:
    """Raise InvalidInput, with the nearest known name, when a fixed parameter is not one of the learner's."""
    known = learner.parameters()
    for key in params:
        if known is not None and key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            guess = f"did you mean {near[0]!r}?" if near else f"known: {examples(known, 20)}"
            raise InvalidInput(
                "param_unknown", f"{name} has no parameter {key!r}", where="model.candidates", hint=guess
            )
