"""What belongs to which task: decisions, metrics and gates that a project may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivetrain.core.task import METRICS, Task

if TYPE_CHECKING:
    from drivetrain.core.project import ProjectSpec

_DECISIONS: dict[Task, tuple[str, ...]] = {
    Task.YES_NO: ("cost", "capacity", "threshold"),
    Task.CLASSES: ("threshold", "rejection", "hand_over"),
    Task.NUMBER: ("limit", "capacity"),
}
"""The kinds of decision that each task knows."""
_ONLY: dict[Task, tuple[str, ...]] = {
    Task.YES_NO: ("cost", "calibration", "fairness", "false_alarms", "ranking", *METRICS[Task.YES_NO]),
    Task.CLASSES: ("fairness", "calibration", *METRICS[Task.CLASSES]),
    Task.NUMBER: ("backtest", "coverage", "series", *METRICS[Task.NUMBER]),
}
"""The gates that not every task has."""


def check_task(project: ProjectSpec) -> None:
    """Raise ValueError when a metric, a decision or a gate belongs to another task than the project's."""
    task, gates = project.features.task, project.gates
    metrics = {
        "model.metric": project.model.metric,
        "monitor.metric": project.monitor.metric,
        "gates.champion.metric": gates.champion and gates.champion.metric,
        "gates.slices.metric": gates.slices and gates.slices.metric,
        "gates.robustness.metric": gates.robustness and gates.robustness.metric,
    }
    for key, metric in metrics.items():
        if metric and metric not in METRICS[task]:
            raise ValueError(f"`{key}`: {metric} does not measure `{task}`; choose one of {', '.join(METRICS[task])}")
    for name in sorted({name for names in _ONLY.values() for name in names} - set(_ONLY[task])):
        if getattr(gates, name):
            raise ValueError(f"`gates.{name}` does not belong to the task `{task}`: leave it out")
    if task is Task.CLASSES and any(gate.measure == "equalized_odds" for gate in gates.fairness):
        raise ValueError(
            "`gates.fairness`: equalized_odds compares true and false cases, and of classes no case is false; choose "
            "equal_opportunity (how often the answer is right) or demographic_parity (how often it is given)"
        )
    decision = project.model.decision
    if decision is not None and decision.kind not in _DECISIONS[task]:
        raise ValueError(
            f"`model.decision`: {decision.kind} does not belong to the task `{task}`; choose one of "
            f"{', '.join(_DECISIONS[task])}"
        )
    for rule in project.model.rules.every:
        if isinstance(rule.decide, str) and task is not Task.CLASSES:
            raise ValueError(f"`model.rules`: {rule.name} decides {rule.decide!r}; of `{task}` it is `yes` or `no`")
    if project.forecast is not None and (task is not Task.NUMBER or not project.features.time):
        raise ValueError("`forecast` needs the task `number` and `features.time`, the day that a row speaks of")
    _check_texts(project)
    if project.features.blind:
        _check_blind(project)
    _check_talk(project)


def _check_blind(project: ProjectSpec) -> None:
    """Raise ValueError for what cannot be had without labels."""
    features, decision, gates = project.features, project.model.decision, project.gates
    for why, so in (
        (f"the task is `{features.task}`, and a blind model answers yes or no", features.task is not Task.YES_NO),
        ("how `features.texts` are read is learned from labels", bool(features.texts)),
        ("nothing is learned with `model.code`", project.model.code is not None),
        ("`features.split` by stratum looks at labels; choose another", features.split.by == "stratum"),
        ("`model.decision` must be a share (`capacity`) or a `threshold`", decision is None or decision.kind == "cost"),
        ("`gates.false_alarms` is needed: it judges without labels", gates.false_alarms is None),
        ("the score is no probability: leave `gates.calibration` out", gates.calibration is not None),
        ("the score is no probability: leave `gates.log_loss` out", gates.log_loss is not None),
    ):
        if so:
            raise ValueError(f"`features.blind`: {why}")


def _check_texts(project: ProjectSpec) -> None:
    task = project.features.task
    if any(way.out_of_scope for way in project.model.texts):
        if task is not Task.CLASSES:
            raise ValueError(f"`model.texts.out_of_scope` is about classes; this project's task is `{task}`")
        if {one.learner for one in project.model.candidates or ()} != {"text"}:
            raise ValueError(
                "`model.texts.out_of_scope` gives a sign that only the learner `text` understands: write "
                "`candidates: [{learner: text}]`"
            )
    if project.model.code is not None and project.features.texts:
        raise ValueError("`model.code` reads no `features.texts`: leave one of them out")


def _check_talk(project: ProjectSpec) -> None:
    """Raise ValueError where what is said, or asked, is not there."""
    if project.gates.retrieval and (project.knowledge is None or project.knowledge.queries is None):
        raise ValueError("`gates.retrieval` asks `knowledge.queries`, which are not given")
    if project.chat and project.features.task is not Task.CLASSES:
        raise ValueError("`chat` needs intents: set `features.task: classes`")
    if project.chat and project.features.texts != (project.chat.text,):
        raise ValueError("`chat.text` must be the only one of `features.texts`")
