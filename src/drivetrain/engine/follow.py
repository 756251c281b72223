"""A source that is followed: load after load, with the connection open between them, until somebody says stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

from drivetrain.connect.place import place_of
from drivetrain.core.artifacts import Dataset
from drivetrain.core.errors import InvalidInput, NotFound, Transient, examples
from drivetrain.core.events import Progress
from drivetrain.core.loads import SourceAlarm
from drivetrain.core.refs import Ref
from drivetrain.engine.reviews import verdicts
from drivetrain.engine.run import run_stages
from drivetrain.engine.stages import Context, Options, Stage, open_context, stages_until
from drivetrain.ingest.ingest import ingest_from
from drivetrain.ingest.reading import Batch, Portion, Position, Reader, Waiter, open_reader

if TYPE_CHECKING:
    from drivetrain.engine.project import Project

Stop = Event
_LOOK_SECONDS = 60.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


@dataclass(frozen=True)
class Load:
    """One load: its rows (bad ones included), how long it took, what waits at the source, and what went wrong.

    ``alarms`` are those that were not told with the load before.
    """

    rows: int
    seconds: float
    lag: int | None = None
    ref: Ref | None = None
    error: Transient | None = None
    next_in: float = 0.0
    alarms: tuple[SourceAlarm, ...] = ()

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds if self.seconds else 0.0


Told = Callable[[Load], None]


class Counting:
    """A Reader that counts the rows which pass."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.rows = 0

    def discover(self) -> tuple[Portion, ...]:
        """What the reader discovers."""
        return self._reader.discover()

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """What the reader reads."""
        self.rows = 0
        for item in self._reader.read(cursor):
            if isinstance(item, Batch):
                self.rows += item.rows.num_rows + len(item.broken)
            yield item

    def commit(self, cursor: str) -> None:
        """Pass it on."""
        self._reader.commit(cursor)


def follow(
    project: Project, source: str, every: float, *, accept_schema: bool = False, stopped: Stop, tell: Told
) -> None:
    """Load ``source`` until ``stopped`` is set; the load under way is finished.

    Between the beginnings of two loads lie ``every`` seconds at least. A source that can wait is loaded when something
    is there, and once a minute. After a Transient error it goes on, later each time, up to a minute; other errors are
    raised. Raises NotFound for a source that is not declared.
    """
    if source not in project.spec.sources:
        known = f"name one of the sources: {examples(project.spec.sources, 20)}"
        raise NotFound("source_unknown", f"there is no source {source!r}", where="drivetrain.yaml", hint=known)
    options = Options(project.signer("ingest"), accept_schema=accept_schema)
    context = open_context(project.spec, project.catalog, project.settings, options)
    reader = open_reader(project.spec.sources[source], place_of(project.catalog, context.secrets))
    pause, told = max(every, _SHORTEST_PAUSE), set[str]()
    try:
        if isinstance(reader, Waiter):
            reader.wait(0)  # what is sent to us is taken from now on, while the first load runs too
        while not stopped.is_set():
            load = _load(project, source, context, reader, pause)
            tell(replace(load, alarms=tuple(alarm for alarm in load.alarms if alarm.kind not in told)))
            told = {alarm.kind for alarm in load.alarms}
            stopped.wait(max(0.0, (pause if load.error else every) - load.seconds))
            pause = min(2 * pause, _LONGEST_PAUSE) if load.error else max(every, _SHORTEST_PAUSE)
            if not load.error and not load.lag:
                _wait(reader, stopped)
    finally:
        if isinstance(reader, Waiter):
            reader.close()


def _load(project: Project, source: str, context: Context, reader: Reader, pause: float) -> Load:
    began, counting = monotonic(), Counting(reader)
    try:
        result = run_stages([_stage(project, source, counting)], context, (), tries=1)
        alarms = tuple(raised.alarm for raised in result.alarms)
        return Load(counting.rows, monotonic() - began, _lag(reader), result.steps[-1].ref, alarms=alarms)
    except Transient as error:
        return Load(0, monotonic() - began, error=error, next_in=pause)
    except InvalidInput as error:
        if error.code != "no_rows":
            raise
        return Load(0, monotonic() - began)  # the first row is still to come


def _stage(project: Project, source: str, reader: Reader) -> Stage:
    """The stage that loads the source, with a reader that is open already."""

    def make(context: Context, progress: Progress) -> Dataset:
        spec, accept = project.spec.sources[source], context.options.accept_schema
        decided = verdicts(context.catalog, source)
        return ingest_from(reader, spec, source, context.catalog, progress, accept_schema=accept, verdicts=decided)

    (stage,) = stages_until(project.spec, "ingest", source)
    return replace(stage, make=make)


def _lag(reader: Reader) -> int | None:
    try:
        return reader.lag() if isinstance(reader, Waiter) else None
    except Transient:
        return None  # the rows stand; the next load says what is wrong


def _wait(reader: Reader, stopped: Stop) -> None:
    """Until there is something, somebody says stop, or it is time to look for new portions."""
    until = monotonic() + _LOOK_SECONDS
    while isinstance(reader, Waiter) and not stopped.is_set() and monotonic() < until:
        try:
            if reader.wait(1.0):
                return
        except Transient:
            return  # the next load says so
