"""One service inside a worker: what answers now, and how it comes to answer something else.

The catalog says which deployment counts. A newer one is loaded beside the standing one, in another thread; only when
every release of it answers as it should does the next request go to it. One that cannot be taken up leaves the
standing one in place, and the state says why.
"""

from __future__ import annotations

import asyncio
import math
import sqlite3
import sys
import time
from collections.abc import Callable
from functools import partial

from drivetrain.access.caller import Caller
from drivetrain.access.usage import UsageTable
from drivetrain.connect.http.messages import Exchange
from drivetrain.core.artifacts import Deployment, TrafficShare
from drivetrain.core.errors import DrivetrainError, InvalidInput, NotFound, Transient
from drivetrain.core.model import Signature
from drivetrain.core.refs import Ref
from drivetrain.core.transitions import promoted, without_trial
from drivetrain.ops.canary import Alarm, CanaryJudge
from drivetrain.ops.list_judge import ListJudge
from drivetrain.serve.answers import Overloaded
from drivetrain.serve.board import ServiceNote
from drivetrain.serve.callers import Callers
from drivetrain.serve.calls import Calls
from drivetrain.serve.contender import Contender
from drivetrain.serve.counts import Counts
from drivetrain.serve.crowd import Crowd
from drivetrain.serve.door import caller_of
from drivetrain.serve.identity import PredictionIds
from drivetrain.serve.interleaving import Interleaving
from drivetrain.serve.items import ItemForm
from drivetrain.serve.lineup import Lineup
from drivetrain.serve.loading import LoadedRelease, load
from drivetrain.serve.mishaps import MISHAPS
from drivetrain.serve.outcomes import Outcomes
from drivetrain.serve.rows import RowForm
from drivetrain.serve.scoring import Request, Scoring, too_late
from drivetrain.serve.settings import ServiceSettings
from drivetrain.serve.shadow import Shadow
from drivetrain.serve.shares import Slice
from drivetrain.serve.surroundings import Surroundings
from drivetrain.serve.trial import Trial
from drivetrain.serve.windows import Forms
from drivetrain.store.catalog import Catalog, now
from drivetrain.store.segments import LabelLog, PairLog, PredictionLog

_AGAIN_SECONDS = 10.0
"""So long after a release could not be loaded for a passing reason it is tried again."""
_TRY_AGAIN_SECONDS = 1.0
_DEADLINE = "x-deadline-ms"
JUDGE = "canary"
"""The actor in the history of deployments that the live judge wrote."""


class Service:
    """A service of this worker."""

    def __init__(
        self, settings: ServiceSettings, catalog: Catalog, usage: UsageTable, surroundings: Surroundings
    ) -> None:
        self.settings = settings
        self.name = settings.name
        self.catalog = catalog
        self.counts = Counts()
        self.crowd = Crowd()
        self.callers = Callers(
            catalog.state, usage, requests_per_second=settings.requests_per_second, rows_per_day=settings.rows_per_day
        )
        self.journal = catalog.journal_path(settings.name)
        self.labels = LabelLog(self.journal, durability=settings.durability)
        self.signature = Signature((), "", "")
        """That of the newest champion, also while the service is quarantined."""
        self.lineup: Lineup | None = None
        self._resting: Lineup | None = None  # what would answer, were its model not broken
        self.reason = ""
        self.surroundings = surroundings
        self._ids = PredictionIds()
        self._forms = Forms(catalog, self.journal)
        self._contenders: dict[Ref, Contender] = {}
        self._scorings: dict[Ref, Scoring] = {}
        self._looked_at = 0
        self._verdict: asyncio.Task[None] | None = None  # being written into the history
        self._look_again_at = math.inf
        self._changed: Callable[[], None] = lambda: None

    # --- answering ---------------------------------------------------------------------------------------------

    def standing(self) -> Lineup:
        """What answers; raises Transient while nothing does."""
        if self.lineup is None:
            raise Transient(
                "service_quarantined",
                f"the service {self.name} is quarantined: {self.reason}",
                where=self.name,
                hint="`drivetrain rollback`, or deploy another release; it is taken up at once",
            )
        return self.lineup

    def submit(self, exchange: Exchange, request: Request) -> None:
        """Read the rows of a request and queue them. Raises what refuses them."""
        self.queue(request, caller_of(exchange), exchange.started + self.patience(exchange))

    def queue(self, request: Request, caller: Caller, late: float) -> None:
        """The same for a caller who waits until ``late`` (``time.perf_counter``), whatever way they came."""
        lineup = self.lineup or self.standing()
        champion = lineup.champion
        if champion.full:
            self.counts.happened("overloaded")
            raise Overloaded
        rows = request.rows = request.read(champion.contender.form)
        count = len(rows.entities)
        if count > self.settings.max_rows or rows.explain:
            self.check(count, explain=rows.explain)
        caller.charge(count)
        request.caller = caller.name
        request.late = late
        if lineup.elsewhere:  # the loop goes on while a process scores: nobody waits longer than they want to
            loop = asyncio.get_running_loop()
            request.alarm = loop.call_later(late - time.perf_counter(), self._give_up, request)
        lineup.submit(request)

    def _give_up(self, request: Request) -> None:
        if not request.ended:
            self.counts.happened("late")
            request.end(too_late())

    def check(self, rows: int, *, explain: bool = False) -> None:
        """Raise InvalidInput when one request brings too many rows."""
        most = self.settings.max_rows
        if rows > most:
            raise InvalidInput(
                "rows_too_many",
                f"{rows} rows in one request",
                where="rows",
                hint=f"send at most {most} at a time, or stream them as application/x-ndjson",
            )
        if explain and rows > self.settings.max_explained_rows:
            raise InvalidInput(
                "explained_rows_too_many",
                f"{rows} rows to explain in one request",
                where="rows",
                hint=f"explain at most {self.settings.max_explained_rows} at a time",
            )

    def patience(self, exchange: Exchange) -> float:
        """How many seconds the caller waits: what they say in X-Deadline-Ms, but no longer than the service allows."""
        most = self.settings.deadline_seconds
        return most if _DEADLINE not in exchange.head.headers else min(most, _said_patience(exchange))

    def end_of_patience(self, exchange: Exchange) -> float:
        """When the caller of a stream no longer waits (``time.perf_counter``): never, unless they say when."""
        return exchange.started + _said_patience(exchange)

    def has(self, contender: Contender) -> bool:
        """Whether a release is still loaded."""
        return self._contenders.get(contender.release.ref) is contender

    # --- deployments -------------------------------------------------------------------------------------------

    async def follow(self) -> bool:
        """Take up a newer deployment, if there is one; whether the lineup changed. A bad one leaves all as it is."""
        newest = self.catalog.latest(Deployment, self.name)
        if newest is None or (newest.version == self._looked_at and time.monotonic() < self._look_again_at):
            return False
        try:
            await self._take_up(newest)
        except DrivetrainError as error:
            self.reason = f"{newest.ref} is not taken up: {error.message}"
            print(f"drivetrain serve: {newest.ref} is not taken up: {error}", file=sys.stderr)  # noqa: T201 - the log
            return True
        self.counts.happened("switches")
        return True

    async def start(self) -> None:
        """Take up the deployment that counts now. Raises NotFound, and what ``load`` raises."""
        newest = self.catalog.latest(Deployment, self.name)
        if newest is None:
            raise NotFound(
                "service_unknown",
                f"nothing is deployed as {self.name!r}",
                where=str(self.catalog.home),
                hint="drivetrain deploy",
            )
        await self._take_up(newest)

    async def _take_up(self, newest: Deployment) -> None:
        self._looked_at, self._look_again_at = newest.version, math.inf
        try:
            await self.take_up(newest)
        except Transient:
            self._look_again_at = time.monotonic() + _AGAIN_SECONDS
            raise

    async def take_up(self, deployment: Deployment) -> None:
        """Load what is not loaded, then switch. Raises what ``load`` raises; then nothing has changed."""
        loop = asyncio.get_running_loop()
        for ref in deployment.releases:
            if ref not in self._contenders:
                self.surroundings.slots.check(ref)
                release = await loop.run_in_executor(None, load, self.catalog, ref)
                made_of = release.signature, release.encoders, release.retriever
                form = await loop.run_in_executor(None, self._forms.form, *made_of)
                self._add(release, form)
        before, self.lineup = self.lineup or self._resting, self._line_up(deployment)
        self.signature = self.lineup.champion.contender.release.signature
        self._resting = None
        self.reason = ""
        if before is not None:
            before.close()
            self._forget(before)

    def end_trial(self, alarm: Alarm) -> None:
        """The judge is sure: the champion answers alone from this moment on; the history is told in the background."""
        if self.lineup is None:
            return
        judged = self.lineup.deployment
        unit = self.lineup.trial.judge.unit if self.lineup.trial else ""
        self.lineup.close()
        self.lineup = Lineup(judged, self.lineup.champion)
        reason = f"rolled back by the live judge after {alarm.rows} {unit}: {alarm.criterion}: {alarm.detail}"
        print(f"drivetrain serve: {judged.challenger}: {reason}", file=sys.stderr)  # noqa: T201 - the log
        self._write_down(partial(without_trial, judged, JUDGE, now(), reason))

    def end_if_judged(self, rows: int, labels: int) -> None:
        """Promote the challenger when ``rows`` and ``labels``, over all workers, are enough without an alarm."""
        if self.lineup is None or self.lineup.trial is None or self.lineup.trial.over:
            return
        rule = self.lineup.deployment.canary or self.settings.canary
        if rows < rule.rows or labels < rule.labels:
            return
        self.lineup.trial.over = True
        unit = self.lineup.trial.judge.unit
        reason = f"promoted by the live judge: no alarm on {rows} {unit}, {labels} of them with their outcome"
        self._write_down(partial(promoted, self.lineup.deployment, JUDGE, now(), reason))

    def _write_down(self, step: Callable[[], Deployment]) -> None:
        """Enter the verdict into the history, in the background; it is tried again until the catalog can be written."""

        async def write() -> None:
            loop = asyncio.get_running_loop()
            while True:
                try:
                    await loop.run_in_executor(None, lambda: self.catalog.follow(step(), actor=JUDGE))
                except DrivetrainError as error:  # another worker, or a person, was faster: theirs counts
                    print(f"drivetrain serve: {error}", file=sys.stderr)  # noqa: T201 - the log
                except (OSError, sqlite3.Error) as error:  # the disk is full, or the catalog is held
                    MISHAPS.tell(error)
                    await asyncio.sleep(_TRY_AGAIN_SECONDS)
                    continue
                return

        self._verdict = asyncio.get_running_loop().create_task(write())

    # --- upkeep ------------------------------------------------------------------------------------------------

    def note(self) -> ServiceNote:
        """What this worker says about the service."""
        lineup = self.lineup
        if lineup is None:
            return ServiceNote("quarantined", reason=self.reason, counts=self.counts)
        champion = lineup.champion.contender
        champion.count_live()
        trial = lineup.trial
        return ServiceNote(
            "ready",
            champion.name,
            lineup.deployment.version,
            self.reason,
            self.counts,
            tuple(tuple(counts.tolist()) for counts in champion.release.live.state()),
            trial.judge.rows if trial else 0,
            trial.judge.labels if trial else 0,
        )

    def is_full(self) -> bool:
        """Whether a request that comes now would have to be refused."""
        lineup = self.lineup
        return lineup is not None and lineup.champion.full

    def watch(self) -> None:
        """Judge by outcomes; quarantine while the champion's processes end again and again, and try whether they do."""
        if self.lineup is not None and self.lineup.trial is not None:
            self.lineup.trial.watch()
        lineup = self.lineup or self._resting
        if lineup is None:
            return
        champion = lineup.champion.contender
        if champion.release.broken and self.lineup is not None:
            self._resting, self.lineup = lineup, None
            self.reason = f"the processes of {champion.name} ended again and again"
        elif not champion.release.broken and self.lineup is None:
            self._resting, self.lineup, self.reason = None, lineup, ""
        if champion.release.broken:
            champion.probe()

    def quarantine(self, reason: str) -> None:
        """Nothing answers any more until another deployment can be taken up."""
        self.reason = reason
        if self.lineup is not None:
            self.lineup.close()
        self.lineup = None

    def flush(self) -> None:
        """Write out what buffered logs hold back."""
        for contender in self._contenders.values():
            contender.flush()
        self.labels.flush()

    def close(self) -> None:
        """Let go of everything; what was answered is on disk after this."""
        if self.lineup is not None:
            self.lineup.close()
        for contender in self._contenders.values():
            contender.close()
        self._forms.close()
        self.labels.close()

    def _add(self, release: LoadedRelease, form: RowForm) -> None:
        log = PredictionLog(self.journal, release.ref, release.signature, durability=self.settings.durability)
        for name in self.callers.names:  # a caller that is known from the start needs no segment of its own
            log.caller(name)
        around = self.surroundings
        contender = Contender(release, log, self._ids, around.pulse, around.slots.number(release.ref), form)
        self._contenders[release.ref] = contender
        queue = Calls if contender.processes else Scoring
        self._scorings[release.ref] = queue(contender, self.settings, self.counts, self.crowd)

    def _line_up(self, deployment: Deployment) -> Lineup:
        champion = self._scorings[deployment.champion]
        shadows = [self._shadow(share, deployment) for share in deployment.shadows]
        return Lineup(deployment, champion, self._trial(champion, deployment), shadows)

    def _shadow(self, share: TrafficShare, deployment: Deployment) -> Shadow:
        log = PairLog(self.journal, share.release, deployment.champion)
        load = self.settings.shadow_load / len(deployment.shadows)
        return Shadow(self._contenders[share.release], Slice(share.release, share.share), log, self.counts, load)

    def _trial(self, champion: Scoring, deployment: Deployment) -> Trial | Interleaving | None:
        if deployment.challenger is None:
            return None
        rule = deployment.canary or self.settings.canary
        # Every worker judges what it sees; together they may raise a false alarm no more often than the rule says.
        alpha = rule.false_alarm_rate / self.surroundings.workers
        contender, other = champion.contender, self._contenders[deployment.challenger]
        part = Slice(deployment.challenger, deployment.shares[1].share)
        if isinstance(contender.form, ItemForm) and isinstance(other.form, ItemForm):
            judge, told = ListJudge(rule, alpha), Outcomes(self.journal)
            theirs = self._scorings[deployment.challenger]
            return Interleaving(champion, theirs, part, judge, told, self.counts, self.end_trial)
        return Trial(
            champion,
            other,
            part,
            CanaryJudge(rule, contender.release.signature, contender.release.reference, alpha),
            PairLog(self.journal, deployment.challenger, deployment.champion),
            self.counts,
            self.end_trial,
        )

    def _forget(self, before: Lineup) -> None:
        """Keep what answers, and the champion before it: going back to that takes no time."""
        assert self.lineup is not None
        kept = {*self.lineup.deployment.releases, before.deployment.champion}
        for ref in [ref for ref in self._contenders if ref not in kept]:
            self._contenders.pop(ref)
            self._scorings.pop(ref).retire()


def _said_patience(exchange: Exchange) -> float:
    """The seconds in X-Deadline-Ms; endless without it."""
    said = exchange.head.headers.get(_DEADLINE)
    if said is None:
        return math.inf
    if not said.isascii() or not said.isdigit() or len(said) > 9:
        raise InvalidInput(
            "deadline_invalid", f"X-Deadline-Ms is {said[:20]!r}", where="X-Deadline-Ms", hint="send whole milliseconds"
        )
    return int(said) / 1000
