"""Fitting a learner to a sample of any task, so that learners see classes only where there are three and all occur."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from onnx import helper

from drivetrain.core.task import Task
from drivetrain.ops.metrics import Numbers
from drivetrain.train.graph import ROW, Subgraph, constant
from drivetrain.train.learner import Fields, Fitted, Learner, Params, Rows, Sample, Size


def fit(
    learner: Learner, sample: Sample, fields: Fields, params: Params, *, seed: int, stop: Sample | None = None
) -> Fitted:
    """What the learner makes of a sample; see ``Learner.fit``. Two classes are a yes or no, those that do not occur in
    the sample are the least likely ones.
    """
    if sample.task is not Task.CLASSES or learner.any_classes:
        return learner.fit(sample, fields, params, seed=seed, stop=stop)
    present = np.unique(sample.y.astype(np.intp))
    if len(present) < sample.classes:
        inner = fit(learner, _among(sample, present), fields, params, seed=seed, stop=stop and _among(stop, present))
        return FewerClasses(inner, present, sample.classes)
    if sample.classes == 2:
        return TwoClasses(learner.fit(_yes_no(sample), fields, params, seed=seed, stop=stop and _yes_no(stop)))
    return learner.fit(sample, fields, params, seed=seed, stop=stop)


@dataclass(frozen=True)
class _Around:
    """A model of other classes than the task's, with as many rounds and of the same size."""

    inner: Fitted

    @property
    def rounds(self) -> int:
        """Those of the model."""
        return self.inner.rounds

    @property
    def size(self) -> Size:
        """That of the model."""
        return self.inner.size


@dataclass(frozen=True)
class TwoClasses(_Around):
    """Log-odds of the second class as margins of both."""

    def margin(self, x: Numbers) -> Numbers:
        """[n, F] -> [n, 2]."""
        odds = self.inner.margin(x)
        return np.column_stack([np.zeros_like(odds), odds])

    def to_onnx(self, prefix: str, source: str = ROW) -> Subgraph:
        """The yes or no, and its log-odds beside a zero."""
        made = self.inner.to_onnx(prefix, source)
        node = helper.make_node("Mul", [made.output, f"{prefix}second"], [f"{prefix}both"])
        second = constant(f"{prefix}second", [[0.0, 1.0]])
        return Subgraph((*made.nodes, node), (*made.constants, second), f"{prefix}both")


@dataclass(frozen=True)
class FewerClasses(_Around):
    """A model of the classes ``present``; the others are a little less likely than the least likely of them."""

    present: Rows
    classes: int

    def margin(self, x: Numbers) -> Numbers:
        """[n, F] -> [n, K]."""
        known = self.inner.margin(x)
        known = known if known.ndim == 2 else np.zeros((len(x), 1))
        return np.column_stack([known, known.min(axis=1) - 1.0])[:, self._places]

    def to_onnx(self, prefix: str, source: str = ROW) -> Subgraph:
        """The same."""
        made, p = self.inner.to_onnx(prefix, source), prefix
        nodes = (
            helper.make_node("ReduceMin", [made.output, f"{p}across"], [f"{p}least"], keepdims=1),
            helper.make_node("Sub", [f"{p}least", f"{p}one"], [f"{p}less"]),
            helper.make_node("Concat", [made.output, f"{p}less"], [f"{p}some"], axis=1),
            helper.make_node("Gather", [f"{p}some", f"{p}places"], [f"{p}every"], axis=1),
        )
        constants = (
            constant(f"{p}across", [1], np.int64),
            constant(f"{p}one", 1.0),
            constant(f"{p}places", self._places, np.int64),
        )
        return Subgraph((*made.nodes, *nodes), (*made.constants, *constants), f"{p}every")

    @property
    def _places(self) -> Rows:
        """Where the margin of each class stands; behind the known ones for those that are not."""
        places = np.full(self.classes, len(self.present))
        places[self.present] = np.arange(len(self.present))
        return places


def _among(sample: Sample, present: Rows) -> Sample:
    """The cases of these classes, which are numbered anew."""
    kept = np.flatnonzero(np.isin(sample.y, present))
    some = sample.take(kept)
    return replace(some, y=np.searchsorted(present, some.y).astype(np.int64), classes=len(present))


def _yes_no(sample: Sample) -> Sample:
    return replace(sample, y=sample.y.astype(np.bool_), task=Task.YES_NO, classes=0)
