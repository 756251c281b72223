"""What a replay found: decisions that flip, where, at which cost, and the rows that the challenger cannot take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from drivetrain.core.artifacts import Estimate, Verdict
from drivetrain.core.digest import digest_bytes
from drivetrain.core.rollout import CanaryRule


@dataclass(frozen=True)
class SegmentFlips:
    """One segment of the traffic: the share of its rows whose decision flips, and what these flips cost.

    ``cost`` is the change of the total cost over these rows, by their labels where known and by the champion's scores
    elsewhere; None without a cost matrix.
    """

    segment: str
    flipped: Estimate
    cost: float | None


@dataclass(frozen=True)
class FlipCost:
    """What the flips change in total cost, under the challenger's cost matrix; more than 0 is worse.

    ``by_labels`` counts the ``labelled`` flips, whose outcome is known. The other ``unlabelled`` ones have an expected
    cost: ``by_champion`` if the champion's calibrated scores are right, ``by_challenger`` if the challenger's are.
    """

    false_positive: float
    false_negative: float
    labelled: int
    by_labels: float
    unlabelled: int
    by_champion: float
    by_challenger: float


@dataclass(frozen=True)
class NotTaken:
    """Why the challenger cannot take some rows, and how many."""

    reason: str
    rows: int


@dataclass(frozen=True)
class ReplayReport:
    """A challenger against the champion on the newest recorded rows of a service.

    ``recorded`` rows from ``since`` to ``until`` (UTC) were read; ``rescored`` of them had been answered by another
    release than the champion, and were scored with it now; ``left_out`` are those of them that it cannot take.
    ``compared`` rows were taken by both. ``to_positive`` and ``to_negative`` count the flips, ``to_other_class`` the
    rows of which only the class is another; the two rates are the shares of positive decisions. ``score_shift`` is the
    mean distance of the two scores of a row, ``rank_shift`` the same in ranks of the champion's reference (0 to 1).
    ``loss`` is how much larger its loss is on the ``labelled`` rows (see ``ops.canary.case_loss``), None without any.
    ``findings`` says which bounds of ``rule`` are broken; there are none when the verdict is ``pass``.
    """

    service: str
    champion: str
    challenger: str
    since: str
    until: str
    recorded: int
    rescored: int
    left_out: int
    compared: int
    flipped: Estimate
    to_positive: int
    to_negative: int
    to_other_class: int
    champion_rate: float
    challenger_rate: float
    score_shift: float
    rank_shift: float
    segments: tuple[SegmentFlips, ...]
    labelled: int
    loss: float | None
    cost: FlipCost | None
    not_taken: tuple[NotTaken, ...]
    rule: CanaryRule
    findings: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """``pass`` when every bound holds."""
        return "fail" if self.findings else "pass"

    @property
    def digest(self) -> str:
        """SHA-256 of the content: the same replay has the same digest."""
        return digest_bytes(self.to_json())

    def to_json(self) -> bytes:
        """The content of ``replay.json``."""
        return msgspec.json.format(msgspec.json.encode(self, order="deterministic"), indent=1) + b"\n"


def broken_bounds(report: ReplayReport) -> Iterator[str]:
    """What the canary's judge would roll this challenger back for.

    A segment counts only when all of its interval lies above the bound: one of many small segments always flips more.
    """
    rule = report.rule
    refused = sum(each.rows for each in report.not_taken)
    if refused > rule.max_errors * (report.recorded - report.left_out):
        share = refused / (report.recorded - report.left_out)
        yield _above("of the rows cannot be taken", share, "max_errors", rule.max_errors)
    if report.flipped.value > rule.max_flipped:
        yield _above("of the decisions flip", report.flipped.value, "max_flipped", rule.max_flipped)
    change = abs(report.challenger_rate - report.champion_rate)
    if change > rule.max_rate_change:
        yield _above("change of the rate of positive decisions", change, "max_rate_change", rule.max_rate_change)
    if report.rank_shift > rule.max_score_shift:
        yield _above("mean shift of the score in ranks", report.rank_shift, "max_score_shift", rule.max_score_shift)
    if report.loss is not None and report.loss > rule.max_loss:
        yield (
            f"the loss is {report.loss:.4f} above the champion's on {report.labelled:,} labelled rows, "
            f"at most {rule.max_loss:g} may be (max_loss)"
        )
    bound = rule.max_segment_flipped
    for each in report.segments:
        if each.flipped.low > bound:
            yield _above(f"of the decisions flip in {each.segment!r}", each.flipped.value, "max_segment_flipped", bound)


def _above(what: str, value: float, name: str, bound: float) -> str:
    return f"{value:.1%} {what}, at most {bound:.1%} may ({name})"
