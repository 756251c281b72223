"""What a model says of a row: yes or no, one of several classes, or a number; and the metrics of each."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Metric = Literal["roc_auc", "average_precision", "log_loss", "accuracy", "macro_f1", "r2", "rmse", "mae"]


class Task(StrEnum):
    """What the label is, and so what a model answers.

    ``yes_no``: whether something is true, as a probability. ``classes``: which of several, as a probability each.
    ``number``: how much, as an estimate with an interval.
    """

    YES_NO = "yes_no"
    CLASSES = "classes"
    NUMBER = "number"


METRICS: dict[Task, tuple[Metric, ...]] = {
    Task.YES_NO: ("roc_auc", "average_precision", "log_loss"),
    Task.CLASSES: ("accuracy", "macro_f1", "log_loss"),
    Task.NUMBER: ("r2", "rmse", "mae"),
}
"""What each task can be measured by; the first is taken where a project names none."""


def metric_of(named: Metric | None, task: Task) -> Metric:
    """The metric that was named, or the task's first."""
    return named or METRICS[task][0]
