"""Gates of quality: metrics and cost against their bounds, and the model against the base rate and the champion."""

from __future__ import annotations

import numpy as np

from drivetrain.core.artifacts import GateResult, Verdict
from drivetrain.core.errors import examples
from drivetrain.core.project import Bound
from drivetrain.core.task import Metric, Task
from drivetrain.ops.intervals import bootstrap_difference, bootstrap_mean
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.number_metrics import covered
from drivetrain.ops.truth import always
from drivetrain.store.pages import show_number
from drivetrain.validate.evidence import Evidence, Rivals
from drivetrain.validate.gates import Finding, Gate, asked, judge


def _gate_of(metric: Metric) -> Gate:
    """The gate that holds a metric on the test rows to its bound."""

    def gate(evidence: Evidence) -> Finding:
        bound: Bound | None = getattr(evidence.spec, metric)
        detail = f"on {len(evidence.truth):,} test rows{_counted(evidence)}"
        return Finding((judge(metric, evidence.metrics[metric], asked(bound), detail),))

    gate.__name__ = metric
    return gate


roc_auc, average_precision, log_loss = _gate_of("roc_auc"), _gate_of("average_precision"), _gate_of("log_loss")
accuracy, macro_f1 = _gate_of("accuracy"), _gate_of("macro_f1")
r2, rmse, mae = _gate_of("r2"), _gate_of("rmse"), _gate_of("mae")


def coverage(evidence: Evidence) -> Finding:
    """The share of test rows whose true number lies in the interval around its estimate."""
    bound = asked(evidence.spec.coverage)
    low, high = evidence.said.ends
    inside = covered(evidence.truth.astype(np.float64), low, high)
    promised = evidence.content.interval.coverage if evidence.content.interval else float("nan")
    detail = f"{promised:.0%} were promised; the mean interval is {show_number(float((high - low).mean()))} wide"
    return Finding((judge("coverage", bootstrap_mean("coverage", inside), bound, detail),))


def cost(evidence: Evidence) -> Finding:
    """The average cost of a decision on the test rows, under the cost matrix of the decision rule."""
    bound = asked(evidence.spec.cost)
    rule = evidence.content.decision
    measured = bootstrap_mean("cost", evidence.cost)
    share = float(evidence.decision.mean())
    detail = f"a score of {rule.threshold:.4g} or more is flagged: {share:.1%} of the cases"
    return Finding((judge("cost", measured, bound, detail),))


def baseline(evidence: Evidence) -> Finding:
    """How much better the model is than always answering the same, what the training rows say on average.

    That is the base rate, of classes that of each, by log loss; of numbers the mean, by RMSE. Passes when the whole
    interval of the gain lies above ``min_gain``.
    """
    least = asked(evidence.spec.baseline).min_gain
    known = evidence.truth_of(evidence.train)
    naive = always(evidence.task, len(evidence.classes), known, len(evidence.truth))
    metric: Metric = "rmse" if evidence.task is Task.NUMBER else "log_loss"
    gain = bootstrap_difference(metric, evidence.truth, evidence.answer, naive)
    result = GateResult(
        gate="baseline",
        verdict="pass" if gain.low > least else "fail",
        measured=gain,
        threshold=f"more than {least:g}, by the whole interval",
        detail=f"against always answering {_same(evidence, naive)}",
    )
    return Finding((result,))


def _same(evidence: Evidence, naive: Numbers) -> str:
    """The answer that is always the same, in words."""
    if evidence.task is Task.NUMBER:
        return f"the mean of the training rows, {show_number(float(naive[0]))}"
    if evidence.task is Task.YES_NO:
        return f"the base rate of the training rows, {naive[0]:.2%}"
    common = int(naive[0].argmax())
    return f"the base rates of the training rows, {naive[0, common]:.1%} of them {evidence.classes[common]}"


def champion(evidence: Evidence) -> Finding:
    """How much better the model is than the one that serves now, on the same rows (paired).

    Passes when the whole interval of the difference lies above ``-tolerance``: when the model is surely not worse. A
    class that one of the two does not know has no probability there.
    """
    spec = asked(evidence.spec.champion)
    metric = evidence.metric(spec.metric)
    threshold = f"at least {-spec.tolerance:g} in {metric}, by the whole interval"
    if evidence.champion is None:
        return Finding((GateResult("champion", "pass", None, threshold, "nothing serves yet: there is no champion"),))
    rivals = evidence.rivals
    gain = bootstrap_difference(metric, rivals.truth, rivals.ours, rivals.theirs)
    verdict: Verdict = "pass" if gain.low >= -spec.tolerance else "fail"
    detail = f"against {evidence.champion.ref}{_strangers(rivals)}"
    return Finding((GateResult("champion", verdict, gain, threshold, detail),))


def _strangers(rivals: Rivals) -> str:
    """The classes that only one of two models knows."""
    ours, theirs = examples(rivals.only_ours), examples(rivals.only_theirs)
    return (f"; new here: {ours}" if ours else "") + (f"; only the champion knows {theirs}" if theirs else "")


def _counted(evidence: Evidence) -> str:
    """What of the labels of the test rows bears on a metric."""
    if evidence.task is Task.YES_NO:
        return f", {int(evidence.truth.sum()):,} of them true"
    if evidence.task is Task.NUMBER:
        return f", whose labels spread by {show_number(float(evidence.truth.std()))}"
    strange = int((evidence.truth < 0).sum())
    return f" of {len(evidence.classes)} classes" + (f", {strange:,} of them of others" if strange else "")
