"""Gates of quality: metrics and cost against their bounds, and the model against the base rate and the champion."""

from __future__ import annotations

import numpy as np

from drivetrain.core.artifacts import GateResult, Verdict
from drivetrain.core.project import Bound
from drivetrain.core.task import Metric
from drivetrain.ops.intervals import bootstrap_difference, bootstrap_mean
from drivetrain.ops.metrics import case_log_loss
from drivetrain.ops.saying import Saying
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, asked, judge


def roc_auc(evidence: Evidence) -> Finding:
    """The area under the ROC curve on the test rows."""
    return _metric(evidence, "roc_auc", evidence.spec.roc_auc)


def average_precision(evidence: Evidence) -> Finding:
    """The average precision on the test rows."""
    return _metric(evidence, "average_precision", evidence.spec.average_precision)


def log_loss(evidence: Evidence) -> Finding:
    """The log loss on the test rows."""
    return _metric(evidence, "log_loss", evidence.spec.log_loss)


def accuracy(evidence: Evidence) -> Finding:
    """The share of test rows whose likeliest class is the true one."""
    return _metric(evidence, "accuracy", evidence.spec.accuracy)


def macro_f1(evidence: Evidence) -> Finding:
    """The mean over classes of F1 on the test rows."""
    return _metric(evidence, "macro_f1", evidence.spec.macro_f1)


def r2(evidence: Evidence) -> Finding:
    """The share of the label's variance that is explained on the test rows."""
    return _metric(evidence, "r2", evidence.spec.r2)


def rmse(evidence: Evidence) -> Finding:
    """The root of the mean squared error on the test rows."""
    return _metric(evidence, "rmse", evidence.spec.rmse)


def mae(evidence: Evidence) -> Finding:
    """The mean absolute error on the test rows."""
    return _metric(evidence, "mae", evidence.spec.mae)


def coverage(evidence: Evidence) -> Finding:
    """The share of test rows whose true number lies in the interval around its estimate."""
    bound = asked(evidence.spec.coverage)
    content = evidence.content
    low, high = Saying(content.signature, content.decision, content.interval).say(evidence.score).outputs.T
    truth = evidence.test.label
    inside = ((truth >= low) & (truth <= high)).astype(np.float64)
    detail = f"the mean interval is {float((high - low).mean()):.4g} wide"
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
    """How much log loss the model saves over always answering the base rate of the training rows.

    Passes when the whole interval of the gain lies above ``min_gain``.
    """
    least = asked(evidence.spec.baseline).min_gain
    rate = float(evidence.train.label.mean())
    naive = case_log_loss(evidence.label, np.full(len(evidence.label), rate))
    gain = bootstrap_mean("log_loss gain", naive - case_log_loss(evidence.label, evidence.score))
    result = GateResult(
        gate="baseline",
        verdict="pass" if gain.low > least else "fail",
        measured=gain,
        threshold=f"more than {least:g}, by the whole interval",
        detail=f"against always answering the base rate of the training rows, {rate:.2%}",
    )
    return Finding((result,))


def champion(evidence: Evidence) -> Finding:
    """How much better the model is than the one that serves now, on the same rows (paired).

    Passes when the whole interval of the difference lies above ``-tolerance``: when the model is surely not worse.
    """
    spec = asked(evidence.spec.champion)
    metric = evidence.metric(spec.metric)
    threshold = f"at least {-spec.tolerance:g} in {metric}, by the whole interval"
    if evidence.champion is None:
        return Finding((GateResult("champion", "pass", None, threshold, "nothing serves yet: there is no champion"),))
    gain = bootstrap_difference(metric, evidence.label, evidence.score, evidence.champion_score)
    verdict: Verdict = "pass" if gain.low >= -spec.tolerance else "fail"
    return Finding((GateResult("champion", verdict, gain, threshold, f"against {evidence.champion.ref}"),))


def _metric(evidence: Evidence, metric: Metric, bound: Bound | None) -> Finding:
    detail = f"on {len(evidence.label):,} test rows, {int(evidence.label.sum()):,} of them true"
    return Finding((judge(metric, evidence.metrics[metric], asked(bound), detail),))
