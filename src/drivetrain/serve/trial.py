"""A challenger that answers a share of the traffic while the champion scores the same rows beside it, unheard.

Both are judged on the same rows, in pairs (see ``ops.canary``): that needs far fewer of them than comparing two crowds.
When the judge raises an alarm, the challenger answers no further request: the verdict is acted on at once, in this
process, and written down after that. What the challenger cannot read or score, the champion answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import DrivetrainError, InvalidInput, Transient
from drivetrain.core.task import Task
from drivetrain.ops.canary import Alarm, CanaryJudge, Pairs
from drivetrain.ops.saying import Said, other_class
from drivetrain.serve.contender import Contender
from drivetrain.serve.counts import Counts
from drivetrain.serve.outcomes import Outcomes
from drivetrain.serve.proof import Claim, Prover
from drivetrain.serve.rows import Rows
from drivetrain.serve.scoring import SLICE, Request, Scoring
from drivetrain.serve.shares import Slice
from drivetrain.serve.wording import Scored, Spoken
from drivetrain.store.segments import PAIR, PairLog

Matrix = NDArray[np.float64]
_MOST_WAITING = 128
"""Requests of a trial; what comes beyond them is the champion's, who may refuse it."""
_REMEMBERED = 200_000
"""Predictions of a trial whose two scores are kept until their outcome is told."""


class Verdict(Protocol):
    """What is called when the judge is sure that the challenger must go."""

    def __call__(self, alarm: Alarm) -> None:
        """Act on the alarm."""
        ...


class _Asked(NamedTuple):
    request: Request
    theirs: Rows | None  # the rows as the challenger reads them; None when it cannot


class Trial:
    """One challenger on trial against the champion whose queue is ``champion``."""

    def __init__(
        self,
        champion: Scoring,
        challenger: Contender,
        part: Slice,
        judge: CanaryJudge,
        log: PairLog,
        counts: Counts,
        verdict: Verdict,
    ) -> None:
        self.challenger = challenger
        self.judge = judge
        self.over = False
        self._closed = False
        self._champion = champion
        self._part = part
        self._log = log
        self._counts = counts
        self._verdict = verdict
        self._loop = asyncio.get_running_loop()
        self._asked: list[_Asked] = []
        self._working: asyncio.Task[None] | None = None
        self._outcomes: dict[str, tuple[Claim, Claim]] = {}
        release = champion.contender.release
        self._prover = Prover(release.signature.task, release.reference)
        self._told = Outcomes(log.folder)

    def takes(self, rows: Rows) -> bool:
        """Whether a request is the challenger's. Long ones never are: they would hold up the others."""
        return (
            not self.over and len(rows.entities) <= SLICE and len(self._asked) < _MOST_WAITING and self._part.has(rows)
        )

    def submit(self, request: Request) -> None:
        """Let the challenger answer a request of its share."""
        try:
            theirs = request.read(self.challenger.form)
        except InvalidInput:
            theirs = None
        self._asked.append(_Asked(request, theirs))
        if self._working is None:
            self._working = self._loop.create_task(self._work())

    def watch(self) -> None:
        """Tell the judge what has become of predictions of this trial; those of others are not known here."""
        known = [
            self._prover.proof(*self._outcomes.pop(told.prediction_id), told.label)
            for told in self._told.fresh()
            if told.prediction_id in self._outcomes
        ]
        if known and not self.over:
            champion, challenger = map(np.array, zip(*known, strict=True))
            self._act(self.judge.outcome(champion, challenger))

    def close(self) -> None:
        """Let go of the log once nobody is asked any more."""
        self._closed = True
        if self._working is None:
            self._log.close()

    async def _work(self) -> None:
        """Answer what was asked, all of a turn together, until nothing waits."""
        await asyncio.sleep(0)  # the other requests of this turn
        while self._asked:
            asked, self._asked = self._asked, []
            try:
                await self._answer(asked)
            except Exception as error:  # noqa: BLE001 - whatever goes wrong, nobody may wait for ever; the door tells it
                for one in asked:
                    one.request.end(error)
        self._working = None
        if self._closed:
            self._log.close()

    async def _answer(self, asked: list[_Asked]) -> None:
        ours = _matrix([one.request.rows for one in asked], self._champion.contender.width)
        began = time.perf_counter()
        try:
            champion = await self._said(self._champion.contender, ours)
        except InvalidInput:  # one row is to blame, and nobody can be judged by the others
            self._hand_over(asked)
            return
        middle = time.perf_counter()
        challenger = await self._challenge(asked, len(ours))
        ended = time.perf_counter()
        pairs = Pairs(
            rows=ours,
            champion_score=champion.score,
            challenger_score=challenger.score,
            champion_decision=champion.decision,
            challenger_decision=challenger.decision,
            champion_seconds=middle - began,
            challenger_seconds=ended - middle,
            other_class=other_class(
                self._champion.contender.release.signature,
                self.challenger.release.signature,
                champion.outputs,
                challenger.outputs,
            ),
        )
        self._settle(asked, pairs, champion, challenger)
        self._act(self.judge.see(pairs))

    async def _challenge(self, asked: list[_Asked], rows: int) -> Said:
        """What the challenger says of n rows; its score is NaN where it could not read or score one."""
        readable = [one.theirs is not None for one in asked for _ in one.request.rows.entities]
        outputs = np.full((rows, len(self.challenger.wording.fields)), np.nan)
        whole = Said(np.full(rows, np.nan), np.zeros(rows, dtype=np.bool_), outputs)
        theirs = [one.theirs for one in asked if one.theirs is not None]
        if theirs:
            with suppress(DrivetrainError):  # of the model: the judge counts these rows as errors
                said = await self._said(self.challenger, _matrix(theirs, self.challenger.width))
                whole.score[readable], whole.decision[readable] = said.score, said.decision
                whole.outputs[readable] = said.outputs
        return whole

    async def _said(self, contender: Contender, rows: Matrix) -> Said:
        answer = await contender.ask(rows) if contender.processes else contender.score(rows)
        return contender.wording.saying.say(answer, rows)

    def _settle(self, asked: list[_Asked], pairs: Pairs, champion: Said, challenger: Said) -> None:
        """Record and answer: by the challenger where it has all scores of a request, by the champion elsewhere."""
        start = 0
        mine: list[tuple[_Asked, slice]] = []
        others: list[_Asked] = []
        for one in asked:
            end = start + len(one.request.rows.entities)
            good = bool(np.isfinite(pairs.challenger_score[start:end]).all())
            if good and not one.request.ended and not self.challenger.closed:
                mine.append((one, slice(start, end)))
            else:
                others.append(one)
            start = end
        self._hand_over(others)
        if not mine:
            return
        places = np.concatenate([np.arange(place.start, place.stop) for _, place in mine])
        champion, challenger = champion.part(places), challenger.part(places)
        said = Spoken(challenger.score.tolist(), challenger.decision.tolist(), challenger.outputs)
        ids = self.challenger.record(
            _matrix([one.theirs for one, _ in mine if one.theirs is not None], self.challenger.width),
            said,
            [entity for one, _ in mine for entity in one.request.rows.entities],
            [one.request.caller for one, _ in mine for _ in one.request.rows.entities],
        )
        self._pair(ids, champion, challenger)
        self._counts.happened("trial_flipped", int(np.count_nonzero(pairs.unlike[places])))
        wording = self.challenger.wording
        self._counts.predicted(self.challenger.name, len(ids), sum(said.decisions))
        self._counts.said(self.challenger.name, wording.tally(said.outputs))
        start = 0
        for one, place in mine:
            end = start + place.stop - place.start
            part = ids[start:end], said.scores[start:end], said.decisions[start:end]
            one.request.end(Scored(self.challenger.name, *part, wording, said.outputs[start:end]))
            start = end

    def _hand_over(self, asked: list[_Asked]) -> None:
        """Let the champion answer."""
        for one in asked:
            try:
                self._champion.submit(one.request)
            except Transient as error:  # there is no room
                one.request.end(error)

    def _pair(self, ids: list[str], champion: Said, challenger: Said) -> None:
        """Record what both said of the same rows, and remember it until the outcomes are told."""
        records = np.empty(len(ids), PAIR)
        records["id"] = [name.encode() for name in ids]
        records["at"] = time.time_ns() // 1000
        records["champion_score"] = champion.score
        records["champion_decision"] = champion.decision
        records["score"] = challenger.score
        records["decision"] = challenger.decision
        self._log.append(records)
        self._counts.happened("trial_rows", len(ids))
        claims = (_claims(self._champion.contender, champion), _claims(self.challenger, challenger))
        self._outcomes.update(zip(ids, zip(*claims, strict=True), strict=True))
        while len(self._outcomes) > _REMEMBERED:
            del self._outcomes[next(iter(self._outcomes))]

    def _act(self, alarm: Alarm | None) -> None:
        if alarm is not None and not self.over:
            self.over = True
            self._verdict(alarm)


def _claims(contender: Contender, said: Said) -> Sequence[Claim]:
    """What a release said of n rows that an outcome can prove."""
    is_class = contender.release.signature.task is Task.CLASSES
    claims: Sequence[Claim] = contender.wording.columns(said.outputs)[0] if is_class else said.score.tolist()
    return claims


def _matrix(rows: list[Rows], width: int) -> Matrix:
    return np.frombuffer(b"".join([one.packed for one in rows])).reshape(-1, width)
