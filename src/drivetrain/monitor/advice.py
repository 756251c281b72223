"""From findings to a verdict and one sentence: what is wrong, and the next command."""

from __future__ import annotations

from collections.abc import Sequence

from drivetrain.core.artifacts import Estimate
from drivetrain.core.project import MonitorSpec
from drivetrain.monitor.columns import Comparison
from drivetrain.monitor.findings import Verdict
from drivetrain.monitor.performance import Performance

_NAMED = 3
_MANY = 0.05


def advise(
    spec: MonitorSpec, rows: int, columns: Sequence[Comparison], performance: Performance
) -> tuple[Verdict, str]:
    """The verdict on a window of ``rows`` predictions and what to do about it; the last column is the score."""
    if rows < spec.min_rows:
        return "too_few_rows", (
            f"too few predictions to judge: {rows:,} of the {spec.min_rows:,} that `monitor.min_rows` asks for; "
            "run `drivetrain monitor` again when the service has answered more."
        )
    inputs = sorted((column for column in columns[:-1] if column.drift.alarm), key=lambda column: -column.drift.psi)
    what = [
        *([_fall(performance)] if performance.alarm else []),
        *_changes(inputs),
        *([_score_alone(columns[-1])] if columns[-1].drift.alarm and not inputs else []),
    ]
    if not what:
        labels = _labels_say(performance)
        return "steady", f"nothing to do: inputs and score look as they did in training{labels}."
    return "drifted", f"{', '.join(what)}: {_cure(inputs, performance)}."


def _changes(inputs: Sequence[Comparison]) -> list[str]:
    rest = len(inputs) - _NAMED
    return [*map(_change, inputs[:_NAMED]), *([f"{rest} more moved"] if rest > 0 else [])]


def _score_alone(score: Comparison) -> str:
    return f"the score moved (PSI {score.drift.psi:.2f}) though no single input did"


def _change(column: Comparison) -> str:
    drift = column.drift
    if _went_missing(column):
        now, before = drift.missing_now, drift.missing_before
        return f"{drift.name} is missing in {now:.0%} of the rows ({before:.0%} in training)"
    if column.unseen > _MANY:
        return f"{drift.name} is outside what training saw in {column.unseen:.0%} of the rows"
    return f"{drift.name} moved (PSI {drift.psi:.2f})"


def _fall(performance: Performance) -> str:
    now, was = performance.estimate(performance.metric), performance.was(performance.metric)
    return f"{performance.metric} went from {_short(was)} in the release's report to {_short(now)}"


def _went_missing(column: Comparison) -> bool:
    return column.drift.missing_now - column.drift.missing_before > _MANY


def _cure(inputs: Sequence[Comparison], performance: Performance) -> str:
    if any(_went_missing(column) or column.unseen > _MANY for column in inputs):
        return "look for a fault at the source first; if the change is real, `drivetrain run` retrains on newer data"
    if performance.alarm:
        return "`drivetrain run` retrains on newer data"
    if performance.judged:
        holds = f"{performance.metric} still holds at {_short(performance.estimate(performance.metric))}"
        return f"{holds}, so find out why, and if the change is here to stay, `drivetrain run` retrains on newer data"
    return "find out why, and if the change is real, `drivetrain run` retrains on newer data"


def _labels_say(performance: Performance) -> str:
    if performance.judged:
        return f", and {performance.metric} is {_short(performance.estimate(performance.metric))}"
    if performance.rows == 0:
        return "; send outcomes to POST /v1/labels and `drivetrain monitor` measures performance too"
    return f"; {performance.rows:,} labels are not enough yet to judge {performance.metric}"


def _short(estimate: Estimate | None) -> str:
    return f"{estimate.value:.3f}" if estimate else "unknown"
