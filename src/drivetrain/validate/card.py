"""The model card: the report as a page for whoever answers for the model's use."""

from __future__ import annotations

from collections.abc import Iterator

from drivetrain.core.artifacts import Estimate, GateResult, SplitPart, Verdict
from drivetrain.core.errors import examples
from drivetrain.core.model import InputField, TrainingSummary
from drivetrain.core.schema import ColumnType
from drivetrain.ops.drift import missing_rate
from drivetrain.store.models import ModelContent
from drivetrain.store.pages import Block, Card, Cards, Cell, Mark, Mood, Table, Text, render_page, show_number
from drivetrain.validate.body import ReportBody
from drivetrain.validate.parts import show_day
from drivetrain.validate.words import rule_words, said_words

_TITLES = {
    "performance": "Performance",
    "calibration": "Calibration",
    "fairness": "Fairness",
    "slices": "Weakest slices",
    "robustness": "Robustness",
    "rules": "Rules",
}
_NAMES = {
    "roc_auc": "ROC AUC", "average_precision": "Average precision", "log_loss": "Log loss", "cost": "Mean cost",
    "accuracy": "Accuracy", "macro_f1": "Macro F1", "answered": "Answered", "r2": "R²", "rmse": "RMSE", "mae": "MAE",
    "coverage": "Coverage",
}  # fmt: skip


def render_card(body: ReportBody, content: ModelContent | None) -> bytes:
    """The page, as HTML. Without ``content`` (a model folder that is not safe to read) it shows the gates alone."""
    blocks: list[Block] = [_headline(body), *_purpose(body, content), *_gates(body)]
    for section in body.sections:
        blocks += [Text(_TITLES.get(section.gate, section.gate)), *section.tables, *section.charts]
    if content is not None:
        blocks += [*_data(body, content), *_training(content.training), _limits(body)]
    blocks += _lineage(body, content)
    return render_page(f"Model card: {body.name}", f"{body.model}, judged on {body.features}", blocks)


def _headline(body: ReportBody) -> Cards:
    passed = sum(gate.verdict == "pass" for gate in body.gates)
    verdict = Card("Verdict", body.verdict, f"{passed} of {len(body.gates)} gates passed", _mood(body.verdict))
    shown = [metric for metric in body.metrics if metric.name in _NAMES]
    return Cards((verdict, *(Card(_NAMES[one.name], show_number(one.value), _interval(one)) for one in shown)))


def _purpose(body: ReportBody, content: ModelContent | None) -> Iterator[Block]:
    said = [
        body.card.purpose or "What the score is for was not written down (`gates.card.purpose` in the project file)."
    ]
    if body.card.users:
        said.append(body.card.users)
    if content is not None:
        said += [said_words(content), rule_words(content)]
    yield Text("Purpose", tuple(said))


def _gates(body: ReportBody) -> Iterator[Block]:
    yield Text(
        "Gates", ("A model is released when it passes every gate, or when a person overrides one and says why.",)
    )
    rows = [
        (gate.gate, Mark(_mood(gate.verdict), gate.verdict), *_measured(gate), gate.threshold, gate.detail)
        for gate in body.gates
    ]
    header = ("gate", "verdict", "measured", "95 % interval", "threshold", "detail")
    yield Table("What was asked and what was measured", header, tuple(rows), "Intervals come from the bootstrap.")


def _measured(gate: GateResult) -> tuple[str, str]:
    """The number and its interval, which is left out where the number was counted."""
    if gate.measured is None:
        return "", ""
    counted = gate.measured.low == gate.measured.high
    return show_number(gate.measured.value), "" if counted else _interval(gate.measured)


def _interval(estimate: Estimate) -> str:
    return f"{show_number(estimate.low)} to {show_number(estimate.high)}"


def _data(body: ReportBody, content: ModelContent) -> Iterator[Block]:
    yield Text("Data")
    counted = ("true", "share true") if any(part.positives is not None for part in body.parts) else ()
    rows = [(part.part, part.rows, *_true(part)) for part in body.parts]
    yield Table("Rows", ("part", "rows", *counted), tuple(rows), "The model learned from the training part only.")
    spreads = {spread.name: spread for spread in content.reference.inputs}
    inputs = [
        (
            field.name,
            str(field.type),
            f"{missing_rate(spreads[field.name]):.1%}" if field.name in spreads else "",
            _seen(field),
        )
        for field in content.signature.inputs
    ]
    yield Table("Inputs", ("input", "type", "missing", "seen in training"), tuple(inputs))


def _true(part: SplitPart) -> tuple[Cell, ...]:
    """How many rows are true, of yes or no."""
    if part.positives is None:
        return ()
    return part.positives, f"{part.positives / part.rows:.2%}" if part.rows else "n/a"


def _seen(field: InputField) -> str:
    if field.categories:
        return examples(field.categories, 8)
    if field.low is None or field.high is None:
        return ""
    show = show_day if field.type in (ColumnType.DATE, ColumnType.TIMESTAMP) else show_number
    return f"{show(field.low)} to {show(field.high)}"


def _training(training: TrainingSummary) -> Iterator[Block]:
    yield Text(
        "How it was trained", (training.why, f"Judged by {training.protocol}. Calibration: {training.calibration}.")
    )
    weights = {part.candidate: part.weight for part in training.blend}
    rows: list[tuple[Cell, ...]] = [
        (one.name, one.estimate.value, _interval(one.estimate), one.trials, weights.get(one.name, 0.0), one.params)
        for one in training.candidates
    ]
    header = ("candidate", training.metric, "interval", "trials", "weight", "parameters")
    note = "Judged on the training part; the test part took no part."
    yield Table("Candidates", header, tuple(rows), note)


def _limits(body: ReportBody) -> Text:
    points = [
        *body.card.limits,
        "The numbers above hold for cases like those it was tested on; `drivetrain monitor` tells when they change.",
        "Outside the ranges under Data the score is a guess: training saw nothing there.",
        "A score says what went together with the outcome, not what causes it.",
        *(f"It did not pass {gate.gate}: {gate.detail}." for gate in body.gates if gate.verdict == "fail"),
    ]
    return Text("Limits of use", points=tuple(points))


def _lineage(body: ReportBody, content: ModelContent | None) -> Iterator[Block]:
    rows = [
        ("model", str(body.model), body.model_digest),
        ("features", str(body.features), body.features_digest),
        ("champion", str(body.champion) if body.champion else "none", ""),
    ]
    said: list[str] = []
    if content is not None:
        said.append(f"Python {content.environment.python}; {', '.join(content.environment.packages)}")
    if body.golden:
        said.append(
            "A server takes traffic once it scores the golden batch, a few made-up rows, as the model did here."
        )
    yield Text("Lineage", tuple(said))
    yield Table("Made from", ("what", "version", "SHA-256"), tuple(rows))


def _mood(verdict: Verdict) -> Mood:
    return "good" if verdict == "pass" else "bad"
