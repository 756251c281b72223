"""From findings to a verdict and one sentence: what is wrong, and the next command."""

from __future__ import annotations

from collections.abc import Sequence

from drivetrain.core.artifacts import Estimate
from drivetrain.core.project import MonitorSpec
from drivetrain.monitor.columns import SCORE, Comparison
from drivetrain.monitor.findings import Verdict
from drivetrain.monitor.measures import COVERAGE
from drivetrain.monitor.outcomes import DecidedFalse
from drivetrain.monitor.performance import Performance

_NAMED = 3
_MANY = 0.05


def advise(
    spec: MonitorSpec,
    columns: Sequence[Comparison],
    performance: Performance,
    rows: int,
    handed_over: DecidedFalse | None = None,
) -> tuple[Verdict, str]:
    """The verdict on a window of ``rows`` predictions and what to do about it; some may go to a person."""
    if rows < spec.min_rows:
        return "too_few_rows", (
            f"too few predictions to judge: {rows:,} of the {spec.min_rows:,} that `monitor.min_rows` asks for; "
            "run `drivetrain monitor` again when the service has answered more."
        )
    moved = sorted((column for column in columns if column.drift.alarm), key=lambda column: -column.drift.psi)
    inputs = [column for column in moved if not column.said]
    what = [
        *([_fall(performance)] if performance.alarm else []),
        *([_too_narrow(performance)] if performance.uncovered else []),
        *_changes(inputs),
        *([_said_alone(moved[0])] if moved and not inputs else []),
    ]
    if not what:
        labels = _labels_say(performance)
        people = f"; {_people(handed_over)}" if handed_over else ""
        return "steady", f"nothing to do: inputs and score look as they did in training{labels}{people}."
    people = f", {_people(handed_over)}" if handed_over and _changed(handed_over) else ""
    return "drifted", f"{', '.join(what)}{people}: {_cure(inputs, performance)}."


def _changes(inputs: Sequence[Comparison]) -> list[str]:
    rest = len(inputs) - _NAMED
    return [*map(_change, inputs[:_NAMED]), *([f"{rest} more moved"] if rest > 0 else [])]


def _said_alone(column: Comparison) -> str:
    what = "the score" if column.name == SCORE else "the mix of classes that are said"
    return f"{what} moved (PSI {column.drift.psi:.2f}) though no single input did"


def _people(handed_over: DecidedFalse) -> str:
    return f"{handed_over.now.value:.0%} of the rows go to a person ({handed_over.trained:.0%} in training)"


def _changed(handed_over: DecidedFalse) -> bool:
    return not handed_over.now.low <= handed_over.trained <= handed_over.now.high


def _too_narrow(performance: Performance) -> str:
    held = performance.estimate(COVERAGE)
    return (
        f"intervals hold {held.value if held else 0:.0%} of the outcomes where {performance.promised:.0%} is promised"
    )


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
    if performance.alarm or performance.uncovered:
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
