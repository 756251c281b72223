"""The seven criteria share the rate of false alarms, and each says what it measured."""

from collections import defaultdict
from typing import get_args

import numpy as np
import pytest

from drivetrain.core.rollout import CanaryRule
from drivetrain.core.task import Task
from drivetrain.ops.criteria import Criterion, Panel, Stream, answer_streams, outcome_streams, segment_streams

RULE = CanaryRule()
STREAMS = (*answer_streams(RULE), *segment_streams(RULE, ("city = Bern", "city = {Basel}")), *outcome_streams(RULE))


def test_each_criterion_has_one_share_in_all():
    shares = defaultdict(float)
    for stream in STREAMS:
        shares[stream.criterion] += stream.share
    of_lists = {"stock", "diversity", "choices"}  # see test_list_judge
    assert dict(shares) == pytest.approx(dict.fromkeys(set(get_args(Criterion)) - of_lists, 1.0))


def test_the_bounds_are_the_rules():
    bounds = {stream.criterion: stream.bound for stream in STREAMS}
    assert bounds == {
        "errors": RULE.max_errors,
        "decisions": RULE.max_flipped,
        "segment": RULE.max_segment_flipped,
        "decision rate": RULE.max_rate_change,
        "score distribution": RULE.max_score_shift,
        "latency": 0.5,
        "performance": RULE.max_loss,
    }


def test_an_alarm_needs_evidence_for_its_share_of_the_rate():
    """Nine ones in a row against a bound of one half are enough for a whole seventh, not for a hundredth of it."""
    whole, part = (Panel([Stream("errors", 0.5, "{mean}", share=share)], 0.2, 2000) for share in (1.0, 0.01))
    for panel in (whole, part):
        panel.tests.see(np.ones((1, 9)))
    assert whole.alarm(9) is not None
    assert part.alarm(9) is None
    (near,), (far,) = whole.standings(), part.standings()
    assert near.evidence == 1.0
    assert 0.3 < far.evidence < 1.0


def test_the_stream_with_most_evidence_is_named_whatever_its_name():
    panel = Panel(segment_streams(RULE, ("city = Bern", "city = {Basel}")), 0.05, 2000)
    panel.tests.count(np.array([0, 40]), np.array([40, 40]))
    alarm = panel.alarm(120)
    assert (alarm.criterion, alarm.rows) == ("segment", 120)
    assert alarm.detail == "100.0% of 40 decisions are not the champion's (at most 30.0%), where city = {Basel}"
    (standing,) = panel.standings()
    assert (standing.segment, standing.value, standing.bound, standing.evidence) == ("city = {Basel}", 1.0, 0.3, 1.0)


def test_without_evidence_the_worst_is_shown_and_before_the_first_row_nothing_is_measured():
    panel = Panel(answer_streams(RULE), 0.05, 2000)
    assert all(np.isnan(standing.value) and standing.evidence == 0.0 for standing in panel.standings())
    change = np.array([0.0, 0.0, -0.01, 0.01, 0.0, 0.0])
    panel.tests.see(np.repeat(change[:, None], 200, axis=1))
    found = {standing.criterion: standing.value for standing in panel.standings()}
    assert list(found) == ["errors", "decisions", "decision rate", "score distribution", "latency"]
    assert found["decision rate"] == pytest.approx(0.01)
    assert panel.alarm(200) is None


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (0, "100.0% of 50 rows that the champion scored have no score (at most 1.0%)"),
        (1, "100.0% of 50 decisions are not the champion's (at most 10.0%)"),
        (2, "the rate of true decisions is 100.0% above the champion's on 50 rows (at most 5.0%)"),
        (3, "the rate of true decisions is 100.0% below the champion's on 50 rows (at most 5.0%)"),
        (4, "scores are 1.000 ranks from the champion's on 50 rows, where 1 is from the lowest to the highest "
            "(at most 0.15)"),
        (5, "100.0% of 50 turns took more than 3 times as long as the champion's (at most 50.0%)"),
        (-1, "the Brier score is 1.0000 above the champion's on 50 labelled rows (at most 0.02)"),
    ],
)  # fmt: skip
def test_each_criterion_has_its_words(at, words):
    panel = Panel([STREAMS[at]], 0.05, 2000)
    panel.tests.see(np.ones((1, 50)))
    assert panel.alarm(50).detail == words


def test_each_task_has_its_words():
    for task, words in ((Task.CLASSES, "the share of wrong classes is"), (Task.NUMBER, "the mean error, as a share")):
        (stream,) = outcome_streams(RULE, task)
        assert stream.words.startswith(words)
