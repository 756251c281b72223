"""From what learners add up, margins, to what a model answers: one link for each task.

A link is fitted on out-of-fold margins: a sigmoid makes log-odds a probability (``ops.calibration``), a softmax with a
temperature makes the margins of classes their probabilities, and the estimate of a number stays as it is. The oddness
of a row becomes its place among usual rows (``ops.ranks``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.core.task import Task
from drivetrain.ops.calibration import Sigmoid
from drivetrain.ops.class_metrics import Codes, case_class_loss
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.ranks import Rank

_ROUNDS = 100
_CLOSE = 1e-10
_MOST_STEEP = 1e4


@dataclass(frozen=True)
class Softmax:
    """``probability of k = exp(slope * margin[k]) / sum``; slope 1 changes nothing, 1 / slope is the temperature."""

    slope: float

    def apply(self, margin: Numbers) -> Numbers:
        """Margins [..., K] to probabilities [..., K], without overflow."""
        raised = np.exp(self.slope * (margin - margin.max(axis=-1, keepdims=True)))
        return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class Identity:
    """An estimate stays as it is."""

    def apply(self, margin: Numbers) -> Numbers:
        """Estimates [n] to themselves."""
        return margin


Link = Sigmoid | Softmax | Identity | Rank


def plain_link(task: Task) -> Link:
    """The link that was not fitted to anything."""
    if task is Task.CLASSES:
        return Softmax(1.0)
    return Identity() if task is Task.NUMBER else Sigmoid(1.0, 0.0)


def fit_softmax(truth: Codes, margin: Numbers) -> Softmax:
    """The temperature of greatest likelihood (Guo et al. 2017) for margins [n, K] of classes [n].

    Newton's method on the logarithm of the slope, its steps at most 1; the likelihood is concave in the slope. Truths
    that the model does not know (-1) say nothing about the temperature and are left out.
    """
    known = truth >= 0
    truth, margin = truth[known], margin[known]
    own = margin[np.arange(len(truth)), truth]
    slope = 1.0 / max(float(margin.std()), 1e-6)
    for _ in range(_ROUNDS):
        share = Softmax(slope).apply(margin)
        mean = (share * margin).sum(axis=1)
        gradient = float((own - mean).mean()) * slope
        curvature = float(((share * np.square(margin)).sum(axis=1) - np.square(mean)).mean()) * slope**2
        step = float(np.clip(gradient / max(curvature - gradient, 1e-3 * abs(gradient) + 1e-12), -1.0, 1.0))
        slope = float(np.clip(slope * np.exp(step), 1.0 / _MOST_STEEP, _MOST_STEEP))
        if abs(step) < _CLOSE:
            break
    return Softmax(slope)


def case_loss(truth: Codes, margin: Numbers, link: Softmax) -> Numbers:
    """The log loss [n] of margins [n, K] under a link."""
    return case_class_loss(truth, link.apply(margin))
