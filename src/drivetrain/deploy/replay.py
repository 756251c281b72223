"""The replay gate: what a challenger would have decided on the newest recorded requests, before it gets any traffic.

It is held against the champion on the same rows: against what was answered where the champion answered, and against
the champion's score where another release did. The bounds are those of the canary, so that what its judge would roll
back is found before the first request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drivetrain.access.verification import VerifiedRelease
from drivetrain.core.artifacts import Release
from drivetrain.core.digest import SHORT
from drivetrain.core.errors import InvalidInput, Refused, examples
from drivetrain.core.events import Progress, silent
from drivetrain.core.roles import Actor
from drivetrain.core.rollout import CanaryRule
from drivetrain.core.task import Task
from drivetrain.deploy.deploy import verified_release
from drivetrain.deploy.fitting import Fitting
from drivetrain.deploy.recorded import Block, Recorded
from drivetrain.deploy.replay_page import replay_page
from drivetrain.deploy.replay_report import NotTaken, ReplayReport, broken_bounds
from drivetrain.deploy.rollout import standing_of
from drivetrain.deploy.tally import Answers, Tally
from drivetrain.ops.saying import Saying
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import write_folder
from drivetrain.store.journal import roll
from drivetrain.store.models import model_from, open_scorer

REPLAYED_ROWS = 100_000
MOST_ROWS = 1_000_000
_GRAPH_ROWS = 32
_CODE_ROWS = 1024
"""Rows that a model scores fastest together: a graph, and code in a process of its own."""


def replay(
    service: str,
    challenger: Release,
    rule: CanaryRule,
    catalog: Catalog,
    actors: Mapping[str, Actor],
    rows: int = REPLAYED_ROWS,
    progress: Progress = silent,
) -> ReplayReport | None:
    """Score the newest ``rows`` recorded requests with a challenger; writes the report and its page.

    None when nothing is recorded yet. Raises InvalidInput for more rows than can be replayed and for a challenger that
    is the champion, NotFound when nothing serves, and what ``verify_release`` raises.
    """
    _check(rows)
    standing = standing_of(service, catalog)
    if challenger.ref == standing.champion:
        raise InvalidInput(
            "challenger_is_champion",
            f"{challenger.ref} is the champion already: a replay would compare it with itself",
            where=str(standing.ref),
            hint="name another release; `drivetrain ls release` lists them",
        )
    before, after = (verified_release(ref, catalog, actors) for ref in (standing.champion, challenger.ref))
    progress(0, None, "rolling the journal into the lake")
    roll(catalog, service)
    recorded = Recorded(catalog, service, rows)
    if not recorded.count:
        return None
    with closing(_Contender(before, before)) as champion, closing(_Contender(after, before)) as contender:
        match = _Match(champion, contender)
        for block in recorded.blocks():
            match.play(block)
            progress(match.recorded, recorded.count, f"{match.tally.flipped.value:.2%} flipped")
    report = match.report(service, rule)
    report = replace(report, findings=tuple(broken_bounds(report)))
    write_folder(replay_folder(report, catalog), {"replay.json": report.to_json(), "replay.html": replay_page(report)})
    return report


def replay_folder(report: ReplayReport, catalog: Catalog) -> Path:
    """Where the report (``replay.json``) and its page (``replay.html``) lie."""
    return catalog.state / "replays" / report.service / report.digest[:SHORT]


def check(report: ReplayReport) -> None:
    """Raise Refused when a bound of the canary is broken."""
    if report.findings:
        raise Refused(
            "replay_out_of_bounds",
            f"{report.challenger} on {report.recorded:,} recorded requests: {examples(report.findings)}",
            where=report.service,
            hint=f"`drivetrain replay {report.challenger}` shows where; if it is meant: --override 'the reason'",
        )


class _Contender:
    """A release that scores what was recorded for the release ``sent``."""

    def __init__(self, release: VerifiedRelease, sent: VerifiedRelease) -> None:
        self.name = str(release.ref)
        self.content = model_from(release.part("model"), self.name)
        sent_content = model_from(sent.part("model"), str(sent.ref))
        self.fitting = Fitting(self.content.signature, sent_content.signature)
        self._scorer = open_scorer(self.content)
        self._together = _GRAPH_ROWS if self._scorer.in_process else _CODE_ROWS

    def close(self) -> None:
        """Let go of the model."""
        self._scorer.close()

    def answers(self, rows: NDArray[np.float64]) -> Answers:
        """Score and decision for packed rows [n, F]; where there is no score it is NaN, and the decision is no."""
        starts = range(0, len(rows), self._together)
        parts = [self._scorer.score(rows[start : start + self._together]) for start in starts]
        if not parts:
            return Answers(np.empty(0), np.empty(0, dtype=np.bool_), np.empty(0, dtype=np.object_))
        content = self.content
        saying = Saying(content.signature, content.decision, content.interval, content.rules)
        said = saying.say(np.concatenate(parts), rows)
        names = np.full(len(said), None, dtype=np.object_)
        if content.signature.task is Task.CLASSES:
            names = np.array(content.signature.classes, dtype=np.object_)[said.outputs[:, 0].astype(np.intp)]
        return Answers(said.score, said.decision, names)


class _Match:
    """Champion and challenger on the same recorded rows."""

    def __init__(self, champion: _Contender, challenger: _Contender) -> None:
        self._champion = champion
        self._challenger = challenger
        self._reasons: Counter[str] = Counter()
        self._times: list[np.datetime64] = []
        self.recorded = self._rescored = self._left_out = 0
        self.tally = Tally(champion.content, challenger.content.decision)

    def play(self, block: Block) -> None:
        """Compare the two on n recorded rows."""
        self.recorded += len(block)
        self._times = [min([*self._times[:1], block.at.min()]), max([*self._times[1:], block.at.max()])]
        before = self._champion.fitting.fit(block.inputs)
        if self._champion.content.signature.texts:  # another release may have read them by another encoder
            before.fits[block.release != self._champion.name] = False
        self._left_out += int((~before.fits).sum())
        block, rows = block.part(before.fits), before.rows[before.fits]
        champion = self._answered(block, rows)
        after = self._challenger.fitting.fit(block.inputs)
        self._reasons.update(after.reasons)
        challenger = self._challenger.answers(after.rows)
        scored = np.isfinite(challenger.score)
        self._reasons["the model has no score for it"] += int((after.fits & ~scored).sum())
        both = after.fits & scored & np.isfinite(champion.score)
        self.tally.add(rows[both], champion.part(both), challenger.part(both), block.label[both])

    def _answered(self, block: Block, rows: NDArray[np.float64]) -> Answers:
        """What the champion answered then; now, where another release did."""
        others = block.release != self._champion.name
        now = self._champion.answers(rows[others])
        score, decision, said = block.score.copy(), block.decision.copy(), block.said.copy()
        score[others], decision[others], said[others] = now.score, now.decision, now.said
        self._rescored += int(others.sum())
        return Answers(score, decision, said)

    def report(self, service: str, rule: CanaryRule) -> ReplayReport:
        """What was found so far."""
        tally = self.tally
        score_shift, rank_shift = tally.shifts
        since, until = (f"{moment}Z" for moment in self._times)
        return ReplayReport(
            service=service,
            champion=self._champion.name,
            challenger=self._challenger.name,
            since=since,
            until=until,
            recorded=self.recorded,
            rescored=self._rescored,
            left_out=self._left_out,
            compared=tally.rows,
            flipped=tally.flipped,
            to_positive=tally.to_positive,
            to_negative=tally.to_negative,
            to_other_class=tally.to_other_class,
            champion_rate=tally.champion_rate,
            challenger_rate=tally.challenger_rate,
            score_shift=score_shift,
            rank_shift=rank_shift,
            segments=tally.segments(),
            labelled=tally.labelled,
            loss=tally.loss,
            cost=tally.cost,
            not_taken=tuple(NotTaken(reason, count) for reason, count in self._reasons.most_common() if count),
            rule=rule,
        )


def _check(rows: int) -> None:
    if not 0 < rows <= MOST_ROWS:
        raise InvalidInput(
            "rows_outside", f"{rows:,} rows cannot be replayed", hint=f"from 1 to {MOST_ROWS:,} can: --rows 100000"
        )
