"""What a canary is judged by: seven criteria, the streams of values that stand for them, and the words of their alarms.

The rate of false alarms is shared out evenly: a seventh for each criterion, of that half for each direction of the
decision rate, and an equal part for each segment. By the union bound a challenger within every bound is rolled back
with at most the rule's chance, over all criteria and however long it is on trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from drivetrain.core.rollout import CanaryRule
from drivetrain.core.task import Task
from drivetrain.ops.sequential import MeanTests

Criterion = Literal[
    "errors", "decisions", "segment", "decision rate", "score distribution", "latency", "performance",
    "stock", "diversity", "choices",
]  # fmt: skip
"""The last three are of recommenders alone, see ``ops.list_judge``."""

LOSS = {
    Task.YES_NO: "Brier score",
    Task.CLASSES: "share of wrong classes",
    Task.NUMBER: "mean error, as a share of the spread of the champion's estimates,",
}
"""What the performance of each task is, from 0 to 1."""

_CRITERIA = 7
_MOST_TURNS = 0.5


@dataclass(frozen=True)
class Alarm:
    """Why a challenger has to go: the criterion, a sentence with its figures, and after how many rows."""

    criterion: Criterion
    detail: str
    rows: int


@dataclass(frozen=True)
class Standing:
    """Where one criterion stands: measured (NaN before the first row), its bound, and the evidence against it.

    Evidence goes from 0 to 1, an alarm. ``segment`` is the one with most evidence against it.
    """

    criterion: Criterion
    value: float
    bound: float
    evidence: float
    segment: str = ""


@dataclass(frozen=True)
class Stream:
    """Values from ``low`` to 1 whose mean may be ``bound`` at most, their share of the criterion's part of the rate.

    ``words`` of the alarm have places for the mean, ``{mean}``, and for the number of ``{rows}``.
    """

    criterion: Criterion
    bound: float
    words: str
    low: float = 0.0
    share: float = 1.0
    segment: str = ""


def answer_streams(rule: CanaryRule) -> tuple[Stream, ...]:
    """Of each row: no score; another decision; decided true now, and no longer; ranks apart. Of each turn: slower."""
    rate = "the rate of true decisions is {mean:.1%} %s the champion's on {rows:,} rows" + _most(rule.max_rate_change)
    return (
        Stream(
            "errors",
            rule.max_errors,
            "{mean:.1%} of {rows:,} rows that the champion scored have no score" + _most(rule.max_errors),
        ),
        Stream("decisions", rule.max_flipped, _UNLIKE + _most(rule.max_flipped)),
        Stream("decision rate", rule.max_rate_change, rate.replace("%s", "above"), -1.0, 0.5),
        Stream("decision rate", rule.max_rate_change, rate.replace("%s", "below"), -1.0, 0.5),
        Stream(
            "score distribution",
            rule.max_score_shift,
            "scores are {mean:.3f} ranks from the champion's on {rows:,} rows, where 1 is from the lowest to the "
            f"highest (at most {rule.max_score_shift:g})",
        ),
        latency_stream(rule, "turns"),
    )


def latency_stream(rule: CanaryRule, what: str) -> Stream:
    """Of each turn, or of whatever ``what`` is: whether it was slower."""
    words = f"{{mean:.1%}} of {{rows:,}} {what} took more than {rule.max_slower:g} times as long as the champion's"
    return Stream("latency", _MOST_TURNS, words + _most(_MOST_TURNS))


def segment_streams(rule: CanaryRule, names: Sequence[str]) -> tuple[Stream, ...]:
    """Of each row in a segment: another decision."""
    bound, words = rule.max_segment_flipped, _UNLIKE + _most(rule.max_segment_flipped)
    return tuple(Stream("segment", bound, words, share=1 / len(names), segment=name) for name in names)


def outcome_streams(rule: CanaryRule, task: Task = Task.YES_NO) -> tuple[Stream, ...]:
    """Of each labelled row: how much larger the loss is."""
    words = f"the {LOSS[task]} is {{mean:.4f}} above the champion's on {{rows:,}} labelled rows"
    return (Stream("performance", rule.max_loss, f"{words} (at most {rule.max_loss:g})", -1.0),)


class Panel:
    """Streams with their ``tests``; ``alpha`` is the false-alarm rate of all ``criteria`` of a trial together."""

    def __init__(self, streams: Sequence[Stream], alpha: float, horizon: int, criteria: int = _CRITERIA) -> None:
        self._streams = tuple(streams)
        self.tests = MeanTests([one.bound for one in streams], [one.low for one in streams], horizon)
        self._alphas = np.array([alpha / criteria * one.share for one in streams])

    def alarm(self, rows: int) -> Alarm | None:
        """The stream with most evidence, if it is enough, after so many ``rows`` of the trial."""
        if not self.tests.alarm(self._alphas).any():
            return None
        at = int((self.tests.evidence + np.log(self._alphas)).argmax())
        stream = self._streams[at]
        detail = stream.words.format(mean=self.tests.means[at], rows=int(self.tests.rows[at]))
        return Alarm(stream.criterion, f"{detail}, where {stream.segment}" if stream.segment else detail, rows)

    def standings(self) -> tuple[Standing, ...]:
        """Each criterion by its stream with most evidence."""
        means = self.tests.means
        evidence = np.where(self.tests.rows, self.tests.evidence / -np.log(self._alphas), 0.0).clip(0.0, 1.0)
        worst: dict[Criterion, Standing] = {}
        for at in np.lexsort((-np.nan_to_num(means, nan=-1.0), -evidence)).tolist():
            one = self._streams[at]
            standing = Standing(one.criterion, float(means[at]), one.bound, float(evidence[at]), one.segment)
            worst.setdefault(one.criterion, standing)
        order = dict.fromkeys(one.criterion for one in self._streams)
        return tuple(worst[criterion] for criterion in order)


_UNLIKE = "{mean:.1%} of {rows:,} decisions are not the champion's"


def _most(bound: float) -> str:
    return f" (at most {bound:.1%})"
