"""``report.html`` of a drift report: first what to do, then what moved, then everything else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from drivetrain.core.artifacts import Estimate
from drivetrain.core.model import InputField, Signature
from drivetrain.monitor.bins import MISSING, bin_labels
from drivetrain.monitor.columns import Comparison
from drivetrain.monitor.findings import Findings
from drivetrain.monitor.performance import LABEL_RATE
from drivetrain.ops.drift import rows
from drivetrain.store.pages import Bars, Block, Card, Cards, Chart, Guide, Line, Mark, Mood, Table, Text, render_page

_BARS = 20
_CHARTS = 40
_LINES = 4
_VERDICTS: dict[str, Mood] = {"steady": "good", "drifted": "bad", "too_few_rows": "warn"}


def render_findings(findings: Findings, signature: Signature) -> bytes:
    """The page as HTML; raises MissingExtra when plotly is not installed."""
    period = f", made from {_clock(findings.start)} to {_clock(findings.end)} UTC" if findings.start else ""
    subtitle = f"{findings.release} since {findings.deployment}: {findings.rows:,} newest predictions{period}"
    return render_page(f"Drift of {findings.service}", subtitle, tuple(_blocks(findings, signature)))


def _blocks(findings: Findings, signature: Signature) -> Iterator[Block]:
    yield _cards(findings)
    yield Text("What to do", (f"{findings.verdict.replace('_', ' ').capitalize()}: {findings.recommendation}",))
    if findings.columns:
        yield from _moved(findings, signature)
        yield _column_table(findings)
        yield from _timeline(findings)
    yield from _performance(findings)
    if findings.columns:
        yield from _unmoved(findings, signature)
    yield _reading(findings)


def _cards(findings: Findings) -> Cards:
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
        )
    )


def _moved(findings: Findings, signature: Signature) -> Iterator[Block]:
    inputs = [(field, comparison) for field, comparison in _by_psi(findings, signature) if comparison.drift.alarm]
    said = "Share of rows in each bin, in training and now; the furthest moved first." if inputs else "No input moved."
    yield Text("What moved", (said,))
    yield from (_before_and_now(field, comparison) for field, comparison in inputs[:_CHARTS])
    yield Text("The score", ("The model's out-of-fold score in training, and the score it gives now.",))
    yield _before_and_now(None, findings.columns[-1])


def _unmoved(findings: Findings, signature: Signature) -> Iterator[Block]:
    others = [(field, comparison) for field, comparison in _by_psi(findings, signature) if not comparison.drift.alarm]
    if others:
        yield Text("The other columns")
        yield from (_before_and_now(field, comparison) for field, comparison in others[:_CHARTS])


def _by_psi(findings: Findings, signature: Signature) -> list[tuple[InputField, Comparison]]:
    inputs = zip(signature.inputs, findings.columns, strict=False)  # the score stands behind the inputs
    return sorted(inputs, key=lambda pair: -pair[1].drift.psi)


def _before_and_now(field: InputField | None, comparison: Comparison) -> Chart:
    labels, before, now = _shares(comparison, field)
    drift = comparison.drift
    return Chart(
        title=comparison.name,
        series=(Bars("training", labels, before), Bars("now", labels, now)),
        y="% of rows",
        note=f"PSI {drift.psi:.3f}, p {_chance(drift.p_value)}",
    )


def _shares(comparison: Comparison, field: InputField | None) -> tuple[tuple[str, ...], list[float], list[float]]:
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


def _timeline(findings: Findings) -> Iterator[Block]:
    stretches = findings.timeline
    if not stretches:
        return
    ends = [stretch.end.removesuffix("Z") for stretch in stretches]
    names = [comparison.name for comparison in findings.columns]
    last = np.array([comparison.drift.psi for comparison in findings.columns[:-1]])
    lines = [len(names) - 1, *np.argsort(-last, kind="stable")[:_LINES].tolist()]
    yield Text(
        "Since when",
        (f"{findings.served:,} predictions in {len(stretches)} stretches of equal count; a point stands at its end.",),
    )
    yield Chart(
        "PSI over time",
        tuple(Line(names[i], ends, [stretch.psi[i] for stretch in stretches], mode="lines+markers") for i in lines),
        x="time (UTC)", y="PSI", guides=(Guide("y", findings.limits.max_psi, "alarm"),), wide=True,
    )  # fmt: skip
    rates = [np.nan if stretch.label_rate is None else stretch.label_rate for stretch in stretches]
    known = (Line("true labels", ends, rates, mode="lines+markers"),) if not np.isnan(rates).all() else ()
    yield Chart(
        "Score and decisions over time",
        (
            Line("mean score", ends, [stretch.mean_score for stretch in stretches], mode="lines+markers"),
            Line("true decisions", ends, [stretch.flagged for stretch in stretches], mode="lines+markers"),
            *known,
        ),
        x="time (UTC)", y="share", wide=True,
    )  # fmt: skip


def _performance(findings: Findings) -> Iterator[Block]:
    performance = findings.performance
    yield Text("Performance", tuple(_coverage(findings)))
    if performance.now:
        yield Table(
            "On labelled predictions",
            ("metric", "in the release's report", "its 95 % interval", "now", "its 95 % interval"),
            tuple((now.name, *_number(performance.was(now.name)), *_number(now)) for now in performance.now),
            note=f"{LABEL_RATE}: the share of outcomes that were true; in training {performance.trained_rate:.4f}.",
        )


def _coverage(findings: Findings) -> Iterator[str]:
    performance, limits = findings.performance, findings.limits
    if performance.rows == 0:
        yield "No labels have arrived; POST /v1/labels takes outcomes by prediction id."
        return
    yield (
        f"{performance.rows:,} labelled predictions. A label has arrived for {performance.labelled_flagged:.0%} of the "
        f"true decisions and for {performance.labelled_others:.0%} of the false ones; where these differ much, the "
        "numbers speak for the labelled cases only."
    )
    if not performance.judged:
        yield (
            f"Not judged: {limits.metric} needs {limits.min_rows:,} labels of both classes, and a value in the "
            "release's report to be held against."
        )


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
            f"Performance is an alarm when {limits.metric} is more than {limits.max_drop:g} worse than in the "
            "release's report and the report's value lies outside the 95 % bootstrap interval now.",
            f"Judged are the newest {limits.window_rows:,} predictions, and the newest {limits.window_rows:,} with a "
            f"label, since {findings.deployment} started; fewer than {limits.min_rows:,} are not judged.",
        ),
    )


def _interval(now: Estimate, was: Estimate | None) -> str:
    before = f", {was.value:.4f} at release" if was else ""
    return f"{now.low:.4f} to {now.high:.4f}{before}"


def _number(estimate: Estimate | None) -> Sequence[str]:
    if estimate is None:
        return ("", "")
    return (f"{estimate.value:.4f}", f"{estimate.low:.4f} to {estimate.high:.4f}")


def _chance(p_value: float) -> str:
    return "under 1e-16" if p_value < 1e-16 else f"{p_value:.2g}"


def _clock(moment: str) -> str:
    return moment[:19].replace("T", " ")
