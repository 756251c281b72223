"""The margins of free texts as they are: what is to be learned from texts lies in their encoders already.

Where an encoder says how likely a text is out of scope, that part ``q`` of the probability is spread evenly over the K
classes, ``(1 - q) * softmax(slope * margins) + q / K``: the likeliest class stays, and its probability is low.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import optuna
from numpy.typing import NDArray
from onnx import helper

from drivetrain.core.errors import InvalidInput
from drivetrain.core.task import Task
from drivetrain.ops.links import Softmax, fit_softmax
from drivetrain.ops.metrics import Numbers
from drivetrain.train.graph import ROW, Subgraph, constant
from drivetrain.train.learner import Fields, Fitted, Params, Sample, Size

_NOT = -30.0
"""The log-odds of a text of which nothing is known: it is not out of scope."""
_TINY = 1e-30


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
        width = sample.classes or 1
        found = FittedText(np.array([every[:width] for every in places], dtype=np.int64), sample.task)
        strange = [every[-1] for every in places if len(every) > width]
        if not strange:
            return found
        link = fit_softmax(sample.y.astype(np.int64), found.margin(sample.x))
        return replace(found, strange=tuple(strange), slope=link.slope)


@dataclass(frozen=True, eq=False)
class FittedText:
    """Where the margins of each text stand, [texts, W], and the log-odds of those that may be out of scope, if any."""

    places: NDArray[np.int64]
    task: Task
    strange: tuple[int, ...] = ()
    slope: float = 1.0
    rounds: int = 0

    @property
    def size(self) -> Size:
        """One addition for each margin."""
        return Size(operations=self.places.size)

    def margin(self, x: Numbers) -> Numbers:
        """The sum over the texts, one that is missing counting nothing: [n, F] -> [n, K] of classes, else [n]."""
        margins = x[:, self.places]
        together = np.asarray(np.where(np.isnan(margins), 0.0, margins).sum(axis=1))
        if self.strange:
            share = Softmax(self.slope).apply(together)
            odds = x[:, list(self.strange)]
            strange = 1.0 / (1.0 + np.exp(-np.where(np.isnan(odds), _NOT, odds).min(axis=1, keepdims=True)))
            return np.asarray(np.log(share * (1.0 - strange) + strange / share.shape[1] + _TINY))
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
        made = Subgraph(nodes, constants, f"{prefix}together")
        return self._spread(made, prefix, source) if self.strange else made

    def _spread(self, made: Subgraph, p: str, source: str) -> Subgraph:
        """The logarithm of the probabilities, that of being out of scope spread evenly."""
        nodes = (
            helper.make_node("Mul", [made.output, f"{p}slope"], [f"{p}steep"]),
            helper.make_node("Softmax", [f"{p}steep"], [f"{p}share"], axis=1),
            helper.make_node("Gather", [source, f"{p}strange"], [f"{p}odds"], axis=1),
            helper.make_node("IsNaN", [f"{p}odds"], [f"{p}unsaid"]),
            helper.make_node("Where", [f"{p}unsaid", f"{p}not", f"{p}odds"], [f"{p}said"]),
            helper.make_node("ReduceMin", [f"{p}said", f"{p}texts"], [f"{p}least"], keepdims=1),
            helper.make_node("Sigmoid", [f"{p}least"], [f"{p}q"]),
            helper.make_node("Sub", [f"{p}one", f"{p}q"], [f"{p}in"]),
            helper.make_node("Mul", [f"{p}share", f"{p}in"], [f"{p}kept"]),
            helper.make_node("Mul", [f"{p}q", f"{p}even"], [f"{p}spread"]),
            helper.make_node("Add", [f"{p}kept", f"{p}spread"], [f"{p}both"]),
            helper.make_node("Add", [f"{p}both", f"{p}tiny"], [f"{p}sure"]),
            helper.make_node("Log", [f"{p}sure"], [f"{p}spoken"]),
        )
        constants = (
            constant(f"{p}slope", self.slope),
            constant(f"{p}strange", self.strange, np.int64),
            constant(f"{p}not", _NOT),
            constant(f"{p}one", 1.0),
            constant(f"{p}even", 1.0 / self.places.shape[1]),
            constant(f"{p}tiny", _TINY),
        )
        return Subgraph((*made.nodes, *nodes), (*made.constants, *constants), f"{p}spoken")
