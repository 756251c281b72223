"""``report.html`` of a drift report: first what to do, then what moved, then everything else."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from drivetrain.core.artifacts import Estimate
from drivetrain.core.model import InputField, OutputField, Signature
from drivetrain.core.task import Task
from drivetrain.monitor.bins import MISSING, bin_labels
from drivetrain.monitor.columns import Comparison
from drivetrain.monitor.findings import Findings, Limits
from drivetrain.monitor.page_labels import label_blocks
from drivetrain.ops.drift import rows
from drivetrain.store.pages import Bars, Block, Card, Cards, Chart, Guide, Line, Mark, Mood, Table, Text, render_page

_BARS = 20
_CHARTS = 40
_LINES = 4
_CAME_TRUE = {Task.YES_NO: "true labels", Task.CLASSES: "right classes", Task.NUMBER: "mean label"}
_VERDICTS: dict[str, Mood] = {"steady": "good", "drifted": "bad", "too_few_rows": "warn"}


def render_findings(findings: Findings, signature: Signature) -> bytes:
    """The page as HTML; raises MissingExtra when plotly is not installed."""
    period = f", made from {_clock(findings.start)} to {_clock(findings.end)} UTC" if findings.start else ""
    subtitle = f"{findings.release} since {findings.deployment}: {findings.rows:,} newest predictions{period}"
    return render_page(f"Drift of {findings.service}", subtitle, tuple(_blocks(findings, signature)))


def _blocks(findings: Findings, signature: Signature) -> Iterator[Block]:
    yield _cards(findings, signature.task)
    yield Text("What to do", (f"{findings.verdict.replace('_', ' ').capitalize()}: {findings.recommendation}",))
    if findings.columns:
        yield from _moved(findings, signature)
        yield _column_table(findings)
        yield from _timeline(findings, signature.task)
    yield from label_blocks(findings, signature.task)
    if findings.columns:
        yield from _unmoved(findings, signature)
    yield _reading(findings)


def _cards(findings: Findings, task: Task) -> Cards:
    performance, metric = findings.performance, findings.limits.metric
    now, was = performance.estimate(metric), performance.was(metric)
    mood: Mood = "bad" if performance.alarm else "good" if performance.judged else "plain"
    quality = (
        Card(metric, f"{now.value:.4f}", _interval(now, was), mood) if now else Card(metric, "n/a", "no labels yet")
    )
    alarms = len(findings.alarms)
    return Cards(
        (
            Card("Verdict", findings.verdict.replace("_", " "), "", _VERDICTS[findings.verdict]),
            Card("Drifted columns", f"{alarms}", f"of {len(findings.columns)}", "bad" if alarms else "good"),
            quality,
            Card("Predictions judged", f"{findings.rows:,}", f"the newest of {findings.served:,}"),
            Card("Labelled", f"{performance.rows:,}", "the newest with an outcome"),
            *_decided_false(findings, task),
        )
    )


def _decided_false(findings: Findings, task: Task) -> Iterator[Card]:
    false = findings.decided_false
    if false is not None:
        title = "Handed over to a person" if task is Task.CLASSES else "Decided false"
        yield Card(title, f"{false.now.value:.1%}", f"{false.trained:.1%} out of fold in training")


def _moved(findings: Findings, signature: Signature) -> Iterator[Block]:
    inputs = [(field, comparison) for field, comparison in _by_psi(findings, signature) if comparison.drift.alarm]
    said = "Share of rows in each bin, in training and now; the furthest moved first." if inputs else "No input moved."
    yield Text("What moved", (said,))
    yield from (_before_and_now(field, comparison) for field, comparison in inputs[:_CHARTS])
    yield Text("What is said", ("What the model said out of fold in training, and what it says now.",))
    fields: dict[str, OutputField] = {field.name: field for field in signature.outputs}
    answers = (comparison for comparison in findings.columns if comparison.said)
    yield from (_before_and_now(fields.get(answer.name), answer) for answer in answers)


def _unmoved(findings: Findings, signature: Signature) -> Iterator[Block]:
    others = [(field, comparison) for field, comparison in _by_psi(findings, signature) if not comparison.drift.alarm]
    if others:
        yield Text("The other columns")
        yield from (_before_and_now(field, comparison) for field, comparison in others[:_CHARTS])


def _by_psi(findings: Findings, signature: Signature) -> list[tuple[InputField, Comparison]]:
    inputs = zip(signature.inputs, findings.columns, strict=False)  # what is said stands behind the inputs
    return sorted(inputs, key=lambda pair: -pair[1].drift.psi)


def _before_and_now(field: InputField | OutputField | None, comparison: Comparison) -> Chart:
    labels, before, now = _shares(comparison, field)
    drift = comparison.drift
    return Chart(
        title=comparison.name,
        series=(Bars("training", labels, before), Bars("now", labels, now)),
        y="% of rows",
        note=f"PSI {drift.psi:.3f}, p {_chance(drift.p_value)}",
    )


def _shares(
    comparison: Comparison, field: InputField | OutputField | None
) -> tuple[tuple[str, ...], list[float], list[float]]:
    """Labels and shares in percent; of many bins the fullest, the rest as one bar; no bar for no missing values."""
    before, now = (
        np.array([*side.counts, side.missing]) * 100 / max(1, rows(side))
        for side in (comparison.before, comparison.now)
    )
    labels = bin_labels(field, comparison.before)
    shown = [index for index, label in enumerate(labels) if label != MISSING or before[index] + now[index] > 0]
    if len(shown) > _BARS + 4:
        shown = sorted(sorted(shown, key=lambda index: -max(before[index], now[index]))[:_BARS])
    rest = (f"{len(labels) - len(shown)} others",) if len(labels) - len(shown) > 1 else ()
    shares = [[*side[shown], *([100 - side[shown].sum()] if rest else [])] for side in (before, now)]
    return (*(labels[index] for index in shown), *rest), shares[0], shares[1]


def _column_table(findings: Findings) -> Table:
    ordered = sorted(findings.columns, key=lambda comparison: -comparison.drift.psi)
    return Table(
        "How far each column moved",
        (
            "column",
            "verdict",
            "PSI",
            "p-value",
            "missing in training, %",
            "missing now, %",
            "never seen in training, %",
        ),
        tuple(
            (
                comparison.name,
                Mark("bad", "drifted") if comparison.drift.alarm else Mark("plain", "steady"),
                round(comparison.drift.psi, 4),
                _chance(comparison.drift.p_value),
                round(100 * comparison.drift.missing_before, 2),
                round(100 * comparison.drift.missing_now, 2),
                round(100 * comparison.unseen, 2),
            )
            for comparison in ordered
        ),
        note="Never seen: outside the range of the training data, or text that was not in it.",
    )


def _timeline(findings: Findings, task: Task) -> Iterator[Block]:
    stretches = findings.timeline
    if not stretches:
        return
    ends = [stretch.end.removesuffix("Z") for stretch in stretches]
    names = [comparison.name for comparison in findings.columns]
    said = [place for place, comparison in enumerate(findings.columns) if comparison.said]
    last = np.array([comparison.drift.psi for comparison in findings.columns[: said[0]]])
    lines = [*said, *np.argsort(-last, kind="stable")[:_LINES].tolist()]
    yield Text(
        "Since when",
        (f"{findings.served:,} predictions in {len(stretches)} stretches of equal count; a point stands at its end.",),
    )
    yield Chart(
        "PSI over time",
        tuple(Line(names[i], ends, [stretch.psi[i] for stretch in stretches], mode="lines+markers") for i in lines),
        x="time (UTC)", y="PSI", guides=(Guide("y", findings.limits.max_psi, "alarm"),), wide=True,
    )  # fmt: skip
    yield from _answers_over_time(findings, task)


def _answers_over_time(findings: Findings, task: Task) -> Iterator[Chart]:
    """Mean score, what came true, and decisions; of numbers the decisions, which are shares, apart."""
    stretches = findings.timeline
    ends = [stretch.end.removesuffix("Z") for stretch in stretches]
    truths = [np.nan if stretch.came_true is None else stretch.came_true for stretch in stretches]
    scores = (
        Line("mean score", ends, [stretch.mean_score for stretch in stretches], mode="lines+markers"),
        *((Line(_CAME_TRUE[task], ends, truths, mode="lines+markers"),) if not np.isnan(truths).all() else ()),
    )
    decided = Line("true decisions", ends, [stretch.flagged for stretch in stretches], mode="lines+markers")
    decisions = () if findings.decided_false is None else (decided,)
    if task is not Task.NUMBER:
        title = "Score and decisions over time" if decisions else "Score over time"
        yield Chart(title, (*scores, *decisions), x="time (UTC)", y="share", wide=True)
        return
    yield Chart("Score over time", scores, x="time (UTC)", y="in the label's unit", wide=True)
    if decisions:
        yield Chart("Decisions over time", decisions, x="time (UTC)", y="share", wide=True)


def _reading(findings: Findings) -> Text:
    limits = findings.limits
    return Text(
        "How to read this",
        points=(
            "The population stability index (PSI) sums (now - training) x ln(now / training) over the bins of a "
            "column, missing values being one more bin. Below 0.1 little changed, above 0.2 much did.",
            "The p-value is the chance to see such a difference when nothing changed (two-sample chi-square test).",
            f"A column is an alarm when its PSI is above {limits.max_psi:g} and its p-value stays under "
            f"{limits.alpha:g} after Holm's correction for all {len(findings.columns)} columns.",
            f"Performance is an alarm when {limits.metric} is more than {_allowed(limits)} worse than in the "
            "release's report and the report's value lies outside the 95 % bootstrap interval now.",
            f"Judged are the newest {limits.window_rows:,} predictions, and the newest {limits.window_rows:,} with a "
            f"label, since {findings.deployment} started; fewer than {limits.min_rows:,} are not judged.",
        ),
    )


def _interval(now: Estimate, was: Estimate | None) -> str:
    before = f", {was.value:.4f} at release" if was else ""
    return f"{now.low:.4f} to {now.high:.4f}{before}"


def _allowed(limits: Limits) -> str:
    return f"{limits.max_drop:.0%}" if limits.metric in ("rmse", "mae") else f"{limits.max_drop:g}"


def _chance(p_value: float) -> str:
    return "under 1e-16" if p_value < 1e-16 else f"{p_value:.2g}"


def _clock(moment: str) -> str:
    return moment[:19].replace("T", " ")
