"""From the candidates of the project file to learners that are ready to race."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from drivetrain.core.digest import digest_bytes
from drivetrain.core.plugins import is_hook, load, load_hook
from drivetrain.core.project import Candidate
from drivetrain.core.task import Task
from drivetrain.train.learner import Learner, Params, check_params, check_task
from drivetrain.train.learners.hook import Hook


@dataclass(frozen=True)
class Entrant:
    """A candidate: a name of its own in this race, its learner, and what a person fixed.

    ``code`` is the digest of a person's own file, so that a changed estimator is not taken for the old one.
    """

    name: str
    learner: Learner
    fixed: Params
    code: str = ""


_TREES = ("random_forest", "hist_gradient_boosting", "xgboost")
DEFAULTS: dict[Task, tuple[str, ...]] = {
    Task.YES_NO: ("logistic", *_TREES),
    Task.CLASSES: ("logistic", *_TREES),
    Task.NUMBER: ("linear", *_TREES),
}
"""Who races where the project names nobody; where there are free texts, ``text`` alone."""


def entrants(
    candidates: Sequence[Candidate] | None, task: Task, home: Path, *, texts: bool = False
) -> tuple[Entrant, ...]:
    """The learners of all candidates; two of the same kind are told apart by a number.

    Raises NotFound for an unknown name, InvalidInput for an unknown parameter, a hook that cannot be loaded, or a
    learner that does not know the task.
    """
    seen: Counter[str] = Counter()
    found = []
    names = ("text",) if texts else DEFAULTS[task]
    for candidate in candidates or [Candidate(learner=name) for name in names]:
        seen[candidate.learner] += 1
        number = f"#{seen[candidate.learner]}" if seen[candidate.learner] > 1 else ""
        found.append(_entrant(candidate, f"{candidate.learner}{number}", home))
        check_task(found[-1].learner, candidate.learner, task)
    return tuple(found)


def _entrant(candidate: Candidate, name: str, home: Path) -> Entrant:
    if is_hook(candidate.learner):
        file = home / candidate.learner.partition(":")[0]
        code = digest_bytes(file.read_bytes()) if file.is_file() else ""
        return Entrant(name, Hook(candidate.learner, load_hook(candidate.learner, home)), candidate.params, code)
    learner = cast(type[Learner], load("learners", candidate.learner))()
    check_params(learner, candidate.learner, candidate.params)
    return Entrant(name, learner, candidate.params)
