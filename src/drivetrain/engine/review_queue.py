"""``drivetrain queue``: what waits for a person, and the person's answer, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from drivetrain.core.errors import InvalidInput, NotFound, examples
from drivetrain.core.review_queue import Case, Label, ReviewRule, Waiting, WholeCase
from drivetrain.core.task import Task
from drivetrain.store.models import model_from
from drivetrain.store.review_queue import ReviewQueue

if TYPE_CHECKING:
    from drivetrain.engine.project import Project

_TRUTHS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True)
class Answer:
    """What was said of a prediction, by whom; ``is_new``: not said before; ``is_known``: the model knows such a one."""

    prediction_id: str
    label: Label
    by: str
    is_new: bool
    is_known: bool


@dataclass(frozen=True)
class _Desk:
    queue: ReviewQueue
    which: Waiting
    task: Task
    classes: tuple[str, ...]


def waiting(project: Project, said: str = "", limit: int = 20) -> tuple[int, tuple[Case, ...]]:
    """How many wait, and the oldest of them; only of the class ``said``, if one is named. Raises NotFound."""
    with _desk(project) as desk:
        rows = desk.queue.waiting(desk.which, said=said)
    return rows.num_rows, tuple(msgspec.convert(row, Case) for row in rows.slice(0, limit).to_pylist())


def case(project: Project, prediction_id: str) -> WholeCase:
    """One that waits or has its answer. Raises NotFound."""
    with _desk(project) as desk:
        return desk.queue.find(prediction_id, desk.which).case


def answer(project: Project, prediction_id: str, text: str) -> Answer:
    """Say what was true. Raises Forbidden, NotFound, InvalidInput for a text that is no label, Refused for another."""
    by = project.signer("answer").actor.name
    with _desk(project) as desk:
        label = _label(text, desk.task)
        is_new = desk.queue.answer(prediction_id, label, by, desk.which)
    return Answer(prediction_id, label, by, is_new, desk.task is not Task.CLASSES or label in desk.classes)


@contextmanager
def _desk(project: Project) -> Iterator[_Desk]:
    """The queue as the release leaves it that serves."""
    spec, champion = project.spec.service, project.deployment().champion
    content = model_from(project.verify(champion).part("model"), str(champion))
    task = content.signature.task
    which = ReviewRule(**spec.review.model_dump()).waiting(content.decision, task)
    if which is None:
        raise NotFound(
            "no_queue",
            f"{champion} leaves no case to a person",
            where=str(project.file),
            hint="say under `service.review` of the project file which ones wait",
        )
    with closing(ReviewQueue(project.catalog, project.spec.service_name, spec.durability)) as queue:
        yield _Desk(queue, which, task, content.signature.classes)


def _label(text: str, task: Task) -> Label:
    if task is Task.CLASSES:
        return text
    try:
        return _TRUTHS[text.lower()] if task is Task.YES_NO else float(text)
    except (KeyError, ValueError):
        hint = f"write one of {examples(_TRUTHS)}" if task is Task.YES_NO else "write a number"
        raise InvalidInput("label_no_answer", f"{text[:40]!r} is no answer here", where="ANSWER", hint=hint) from None
