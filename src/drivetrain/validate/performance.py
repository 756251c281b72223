"""How the model does on the test rows: headline metrics, charts, and what its decision rule makes of the scores."""

from __future__ import annotations

from drivetrain.core.artifacts import Estimate
from drivetrain.core.task import Task
from drivetrain.validate.blind_performance import blind_headline, blind_performance
from drivetrain.validate.class_performance import class_headline, class_performance
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding
from drivetrain.validate.number_performance import number_headline, number_performance
from drivetrain.validate.yes_no_performance import yes_no_headline, yes_no_performance

_HEADLINES = {Task.YES_NO: yes_no_headline, Task.CLASSES: class_headline, Task.NUMBER: number_headline}
_SECTIONS = {Task.YES_NO: yes_no_performance, Task.CLASSES: class_performance, Task.NUMBER: number_performance}


def headline(evidence: Evidence) -> tuple[Estimate, ...]:
    """The metrics that every report gives, whatever gates are set, with their intervals."""
    if evidence.features.blind:
        return blind_headline(evidence)
    return (*evidence.metrics.values(), *_HEADLINES[evidence.task](evidence))


def performance(evidence: Evidence) -> Finding:
    """What a reader looks at, as the task has it; no result of its own."""
    return blind_performance(evidence) if evidence.features.blind else _SECTIONS[evidence.task](evidence)
