"""The way back: the outlets of a project, each from its own cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

from drivetrain.access.secrets import KnownSecrets
from drivetrain.core.errors import DrivetrainError, NotFound, Transient, examples
from drivetrain.core.events import Event as Happening
from drivetrain.core.events import Progress, StageFailed, StageFinished, StageProgressed, StageStarted, Subscriber
from drivetrain.deliver.deliver import Checked, Delivered, Delivery, Origin
from drivetrain.deliver.departing import departing
from drivetrain.deliver.outbox import DeadLetter, Outbox

if TYPE_CHECKING:
    from drivetrain.engine.project import Project

_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


@dataclass(frozen=True)
class OutletState:
    """An outlet: what was taken there and what is dead, how many predictions wait, and when it last moved (UTC).

    None where nothing was ever delivered. Those that wait are counted before ``where`` chooses among them.
    """

    name: str
    kind: str
    taken: int | None
    dead: int | None
    waiting: int | None
    at: str | None


@dataclass(frozen=True)
class Round:
    """One turn of an outlet that is followed; after an error it is tried again in ``next_in`` seconds."""

    outlet: str
    delivered: Delivered | None
    error: Transient | None = None
    next_in: float = 0.0


def deliver(project: Project, names: Sequence[str], subscribers: Sequence[Subscriber] = ()) -> tuple[Delivered, ...]:
    """Send new predictions through the outlets with these names, or all; one that fails holds no other up.

    Raises the first error in the end, Forbidden when the actor may not, NotFound for an outlet that is not declared.
    """
    project.signer("deliver")
    return _each(project, _named(project, names), subscribers, lambda delivery, tell: delivery.run(tell))


def retry_dead(project: Project, name: str, subscribers: Sequence[Subscriber] = ()) -> Delivered:
    """Send the dead letters of an outlet again. Raises as ``deliver``."""
    project.signer("deliver")
    (done,) = _each(project, _named(project, [name]), subscribers, lambda delivery, tell: delivery.retry(tell))
    return done


def test_outlet(project: Project, name: str) -> Checked:
    """Connect to an outlet, send nothing, and say what is there. Raises what the outlet raises."""
    project.signer("deliver")
    (found,) = _named(project, [name])
    with _open(project, found) as delivery:
        return delivery.check()


def dead_letters(project: Project, name: str, most: int) -> tuple[DeadLetter, ...]:
    """The first dead letters of an outlet, at most that many."""
    project.signer("read")
    (found,) = _named(project, [name])
    letters: list[DeadLetter] = []
    for some in Outbox(project.catalog, found).dead():
        letters = sorted([*letters, *some], key=lambda letter: letter.number)[:most]
    return tuple(letters)


def list_outlets(project: Project) -> tuple[OutletState, ...]:
    """Every outlet of the project file, in its order. Connects to nothing."""
    return tuple(_state(project, name) for name in project.spec.outlets)


def follow_outlets(
    project: Project, names: Sequence[str], every: float, *, stopped: Event, tell: Callable[[Round], None]
) -> None:
    """Deliver in turn, again and again until ``stopped`` is set; the parcel under way is finished.

    Between the beginnings of two rounds lie ``every`` seconds at least. An outlet that is away for the moment is tried
    again, later each time, up to a minute; the others go on meanwhile. Other errors are raised.
    """
    project.signer("deliver")
    with ExitStack() as opened:
        turns = [_Turn(opened.enter_context(_open(project, name))) for name in _named(project, names)]
        while not stopped.is_set():
            began = monotonic()
            for turn in turns:
                if not stopped.is_set() and turn.is_due():
                    tell(turn.take(stopped))
            stopped.wait(max(0.05, every - (monotonic() - began)))


class _Turn:
    """One outlet that is followed: its delivery, and when it is tried again after an error."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._pause, self._not_before = _SHORTEST_PAUSE, 0.0

    def is_due(self) -> bool:
        return monotonic() >= self._not_before

    def take(self, stopped: Event) -> Round:
        try:
            done = self._delivery.run(patience=0, stopped=stopped)
        except Transient as error:
            pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
            self._not_before = monotonic() + pause
            return Round(self._delivery.name, None, error, pause)
        self._pause = _SHORTEST_PAUSE
        return Round(self._delivery.name, done)


def _each(
    project: Project,
    names: Iterable[str],
    subscribers: Sequence[Subscriber],
    work: Callable[[Delivery, Progress], Delivered],
) -> tuple[Delivered, ...]:
    def tell(event: Happening) -> None:
        for subscriber in subscribers:
            subscriber(event)

    finished: list[Delivered] = []
    failed: list[DrivetrainError] = []
    for name in names:

        def progress(done: float, total: float | None = None, note: str = "", name: str = name) -> None:
            tell(StageProgressed("deliver", name, done, total, note))

        tell(StageStarted("deliver", name, project.spec.outlets[name].kind))
        try:
            with _open(project, name) as delivery:
                done = work(delivery, progress)
        except DrivetrainError as error:
            tell(StageFailed("deliver", name, error.code, error.message))
            failed.append(error)
        else:
            finished.append(done)
            tell(StageFinished("deliver", name, None, _found(done), done.seconds))
    if failed:
        raise failed[0]
    return tuple(finished)


def _found(done: Delivered) -> str:
    dead = f", {done.dead:,} dead letters" if done.dead else ""
    left = f"; {done.left:,} predictions from before stay (`history: true` would have sent them)" if done.left else ""
    return f"{done.taken:,} rows taken{dead}, {done.rate:,.0f} a second{left}"


def _open(project: Project, name: str) -> Delivery:
    secrets = KnownSecrets(project.settings.environment, project.home)
    origin = Origin(project.spec.service_name, project.spec.features.entity, project.spec.service.entities)
    return Delivery(name, project.spec.outlets[name], origin, project.catalog, secrets)


def _named(project: Project, names: Sequence[str]) -> tuple[str, ...]:
    known = project.spec.outlets
    if not known:
        hint = "declare one under `outlets:`; docs/outlets/README.md shows how"
        raise NotFound("outlet_unknown", "the project has no outlets", where="drivetrain.yaml", hint=hint)
    for name in names:
        if name not in known:
            hint = f"outlets: {examples(known, 20)}"
            raise NotFound("outlet_unknown", f"there is no outlet {name!r}", where="drivetrain.yaml", hint=hint)
    return tuple(names or known)


def _state(project: Project, name: str) -> OutletState:
    spec, cursor = project.spec.outlets[name], Outbox(project.catalog, name).cursor()
    if cursor is None:
        return OutletState(name, spec.kind, None, None, None, None)
    recorded, _ = departing(spec.of, project.catalog, project.spec.service_name).end()
    return OutletState(name, spec.kind, cursor.taken, cursor.dead, max(0, recorded - cursor.number), cursor.at)
