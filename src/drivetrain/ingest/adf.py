"""The kind ``adf``: a run of a pipeline of Azure Data Factory, and then what it wrote, by the reader of that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from time import monotonic

import msgspec

from drivetrain.connect.data_factory import Factory, Run
from drivetrain.connect.place import Place
from drivetrain.connect.retrying import retrying
from drivetrain.core.decoding import read_json
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import NotFound, Refused, Transient
from drivetrain.core.sources.pipelines import AdfSource
from drivetrain.ingest.reading import Batch, Portion, Position, open_reader
from drivetrain.ingest.spool import write_durably

_FIRST_PAUSE = 0.5


@dataclass(frozen=True)
class Cursor:
    """The run whose output was read last, and the cursor of the reader of that."""

    run: str
    then: str


@dataclass(frozen=True)
class Pending:
    """A run that we wished for at this moment (UTC), until what it wrote is loaded; without an id until it is known."""

    asked_at: str
    run: str = ""


class AdfReader:
    """A Reader of what a pipeline writes."""

    def __init__(self, spec: AdfSource, place: Place) -> None:
        self._spec = spec
        self._factory = Factory(spec, place)
        self._then = open_reader(spec.then, place)
        told = {"management", "subscription", "resource_group", "factory", "pipeline", "parameters"}
        identity = digest_of(spec.model_dump(mode="json", include=told))
        self._file = place.cache / "adf" / f"{identity[:16]}.json"

    def discover(self) -> tuple[Portion, ...]:
        """One portion, the pipeline; starts none. Raises Forbidden, InvalidInput, NotFound and Transient."""
        self._factory.check()
        return (Portion(f"{self._spec.factory}/{self._spec.pipeline}", 0),)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """What the run wrote, after the cursor; a run that is not loaded yet is not started again.

        Raises Refused when the run failed, Transient when it takes longer than the deadline, and what reading raises.
        """
        told = read_json(cursor, Cursor) if cursor else Cursor("", "")
        run = self._started(told) if self._spec.run == "start" else self._newest(told)
        if run is None:
            return
        self._await(run)
        has_rows = False
        for item in self._then.read(told.then):
            if isinstance(item, Position):
                has_rows = True
                yield Position(msgspec.json.encode(Cursor(run, item.cursor)).decode(), item.content)
            else:
                yield item
        if not has_rows:
            self._file.unlink(missing_ok=True)

    def commit(self, cursor: str) -> None:
        """The run is loaded: the next load starts another."""
        if cursor:
            told = read_json(cursor, Cursor)
            self._then.commit(told.then)
            pending = self._pending()
            if pending is not None and pending.run == told.run:
                self._file.unlink()

    def _newest(self, told: Cursor) -> str | None:
        run = self._factory.newest()
        if run is None:
            raise NotFound(
                "pipeline_not_run",
                "the pipeline has no run in the last 45 days",
                where=self._factory.where,
                hint="set its trigger, or `run: start` on the source",
            )
        return None if run.run_id == told.run else run.run_id

    def _started(self, told: Cursor) -> str:
        """The id of the run that is wished for: one that was started and not loaded, or a new one."""
        pending = self._pending()
        if pending is not None and pending.run and pending.run != told.run:
            return pending.run
        if pending is None or pending.run:
            pending = self._remember(Pending(datetime.now(UTC).isoformat()))
            is_new = True
        else:
            is_new = False
        asked_at, tries = pending.asked_at, 0

        def start() -> str:
            nonlocal tries
            tries += 1
            found = None if is_new and tries == 1 else self._factory.begun_by_us(datetime.fromisoformat(asked_at))
            return found.run_id if found is not None else self._factory.start()

        return self._remember(Pending(asked_at, retrying(start, self._spec.retry_seconds))).run

    def _pending(self) -> Pending | None:
        return read_json(self._file.read_bytes(), Pending) if self._file.exists() else None

    def _remember(self, pending: Pending) -> Pending:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(self._file, msgspec.json.encode(pending))
        return pending

    def _await(self, run_id: str) -> None:
        """Until the run has ended well; looks at it less and less often."""
        over, pause = monotonic() + self._spec.deadline_seconds, min(_FIRST_PAUSE, self._spec.poll_seconds)
        while (run := self._factory.run(run_id)).status in ("Queued", "InProgress", "Canceling"):
            if monotonic() + pause > over:
                raise Transient(
                    "pipeline_running",
                    f"run {run_id} is {run.status} after {self._spec.deadline_seconds:,.0f} seconds",
                    where=self._factory.where,
                    hint=f"run the same command again, it waits for the same run; see {self._factory.page(run_id)}",
                )
            Event().wait(pause)
            pause = min(2 * pause, self._spec.poll_seconds)
        if run.status != "Succeeded":
            raise self._failed(run)

    def _failed(self, run: Run) -> Refused:
        if self._spec.run == "start":
            self._file.unlink(missing_ok=True)  # the next load starts another
        return Refused(
            "pipeline_failed",
            f"run {run.run_id} is {run.status}: {run.message or 'without a word'}",
            where=self._factory.where,
            hint=f"see {self._factory.page(run.run_id)}; correct the pipeline, then run the same command again",
        )
