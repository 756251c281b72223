"""The margins of free texts as they are: what is to be learned from texts lies in their encoders already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import optuna
from numpy.typing import NDArray
from onnx import helper

from drivetrain.core.errors import InvalidInput
from drivetrain.core.task import Task
from drivetrain.ops.metrics import Numbers
from drivetrain.train.graph import ROW, Subgraph, constant
from drivetrain.train.learner import Fields, Fitted, Params, Sample, Size


class Text:
    """Adds up the margins of all texts. It looks at no other input; a blend puts it beside learners that do."""

    tasks = frozenset(Task)
    any_classes = True  # the margins of its texts are those of every class already
    start: ClassVar[Params | None] = None

    def parameters(self) -> tuple[str, ...]:
        """None: how texts are read is said in ``model.texts``."""
        return ()

    def suggest(self, trial: optuna.trial.BaseTrial) -> Params:
        """Nothing is searched."""
        return {}

    def settled(self, params: Params, rounds: int) -> Params:
        """The same; there are no rounds."""
        return params

    def fit(self, sample: Sample, fields: Fields, params: Params, *, seed: int, stop: Sample | None = None) -> Fitted:
        """Find the columns. Raises InvalidInput when there is no free text."""
        texts = dict.fromkeys(field.of for field in fields if field.of)
        if not texts:
            raise InvalidInput(
                "texts_missing",
                "the learner `text` needs a free text",
                where="model.candidates",
                hint="name columns in features.texts, or leave the learner out",
            )
        places = [[at for at, field in enumerate(fields) if field.of == text] for text in texts]
        return FittedText(np.array(places, dtype=np.int64), sample.task)


@dataclass(frozen=True, eq=False)
class FittedText:
    """Where the margins of each text stand, [texts, W]."""

    places: NDArray[np.int64]
    task: Task
    rounds: int = 0

    @property
    def size(self) -> Size:
        """One addition for each margin."""
        return Size(operations=self.places.size)

    def margin(self, x: Numbers) -> Numbers:
        """The sum over the texts, one that is missing counting nothing: [n, F] -> [n, K] of classes, else [n]."""
        margins = x[:, self.places]
        together = np.asarray(np.where(np.isnan(margins), 0.0, margins).sum(axis=1))
        return together if self.task is Task.CLASSES else together[:, 0]

    def to_onnx(self, prefix: str, source: str = ROW) -> Subgraph:
        """The same."""
        nodes = (
            helper.make_node("Gather", [source, f"{prefix}places"], [f"{prefix}margins"], axis=1),
            helper.make_node("IsNaN", [f"{prefix}margins"], [f"{prefix}missing"]),
            helper.make_node("Where", [f"{prefix}missing", f"{prefix}zero", f"{prefix}margins"], [f"{prefix}filled"]),
            helper.make_node("ReduceSum", [f"{prefix}filled", f"{prefix}texts"], [f"{prefix}together"], keepdims=0),
        )
        constants = (
            constant(f"{prefix}places", self.places, np.int64),
            constant(f"{prefix}texts", [1], np.int64),
            constant(f"{prefix}zero", 0.0),
        )
        return Subgraph(nodes, constants, f"{prefix}together")
