"""Predictions to other systems: once each in the lake's books, at least once, under a key, over there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from threading import Event
from time import monotonic
from types import TracebackType
from typing import Self

import pyarrow as pa

from drivetrain.connect.place import place_of
from drivetrain.connect.retrying import retrying
from drivetrain.core.credentials import Secrets
from drivetrain.core.entities import EntityPages
from drivetrain.core.errors import DrivetrainError
from drivetrain.core.events import Progress, silent
from drivetrain.core.outlets import OutletSpec
from drivetrain.deliver.departing import departing
from drivetrain.deliver.leaving import Leaving
from drivetrain.deliver.outbox import Cursor, DeadLetter, Outbox
from drivetrain.deliver.outlet import Outlet, Parcel, Receipt, open_outlet
from drivetrain.store.catalog import Catalog
from drivetrain.store.locks import held

Send = Callable[[Parcel], tuple[Receipt, ...]]
_NOWHERE = Cursor("", "", 0)


@dataclass(frozen=True)
class Origin:
    """Whose predictions leave: the service, what the project calls the entity of a case, and the pages of entities."""

    service: str
    entity: str
    pages: EntityPages | None = None


@dataclass(frozen=True)
class Delivered:
    """What one delivery came to: rows that were ``taken`` and ``dead``, of ``predictions`` that it went through.

    ``left`` counts the predictions that were there before the outlet, and stay.
    """

    outlet: str
    predictions: int
    taken: int
    dead: int
    left: int
    seconds: float

    @property
    def rate(self) -> float:
        """Rows a second."""
        return (self.taken + self.dead) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Leaver:
    """A column as it leaves, with its value in the newest prediction; None where it has none."""

    name: str
    type: str
    value: str | None


@dataclass(frozen=True)
class Checked:
    """What an outlet answered, after how long, and what would leave; no column before the first prediction."""

    outlet: str
    kind: str
    said: str
    seconds: float
    columns: tuple[Leaver, ...]


class Delivery:
    """One outlet, opened; as a context manager it lets go in the end. Its connection stays between two deliveries."""

    def __init__(self, name: str, spec: OutletSpec, origin: Origin, catalog: Catalog, secrets: Secrets) -> None:
        self.name, self._spec, self._origin, self._catalog = name, spec, origin, catalog
        self._outlet: Outlet = open_outlet(spec, place_of(catalog, secrets))
        self._outbox = Outbox(catalog, name)
        self._departing = departing(spec.of, catalog, origin.service)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._outlet.close()

    def run(
        self, progress: Progress = silent, *, patience: float | None = None, stopped: Event | None = None
    ) -> Delivered:
        """Send what was predicted since the last delivery; ``stopped`` ends it after the parcel under way.

        A system that is down is tried again for ``patience`` seconds (by default the spec's). Raises Transient after
        that, InvalidInput for expressions that do not fit, and what the outlet raises; the next call goes on there.
        """
        began = monotonic()
        with self._alone():
            start, end, left = self._stretch()
            try:
                done = self._send(start, end, self._patient(patience), progress, stopped or Event())
            except (DrivetrainError, KeyboardInterrupt):
                self._outbox.flush()  # what was taken before; whatever was under way is sent again
                raise
            self._outbox.flush()
        seconds = monotonic() - began
        return Delivered(
            self.name, done.number - start.number, done.taken - start.taken, done.dead - start.dead, left, seconds
        )

    def retry(self, progress: Progress = silent) -> Delivered:
        """Send the dead letters again, as the project file has them now. Raises as ``run``."""
        began, tried, taken = monotonic(), 0, 0
        with self._alone():
            start, leaving, send = self._outbox.cursor(), self._leaving(), self._patient(None)
            for letters in self._outbox.dead():
                if leaving is None:
                    break
                for at in range(0, len(letters), self._spec.parcel_rows):
                    receipts = self._again(leaving, letters[at : at + self._spec.parcel_rows], send)
                    tried, taken = tried + len(receipts), taken + sum(receipt.taken for receipt in receipts)
                    progress(tried, start.dead if start else None, f"{taken:,} taken")
        return Delivered(self.name, 0, taken, tried - taken, 0, monotonic() - began)

    def _again(self, leaving: Leaving, letters: Sequence[DeadLetter], send: Send) -> tuple[Receipt, ...]:
        """Send some dead letters; one whose prediction is not in the lake any more stays."""
        parcel = leaving.these([letter.number for letter in letters])
        if not parcel.keys:
            return ()
        receipts, tries = send(parcel), {letter.number: letter.attempts for letter in letters}
        self._outbox.correct(parcel, receipts, [tries[number] + 1 for number in parcel.numbers])
        return receipts

    def check(self) -> Checked:
        """Connect, send nothing; what is there, and the newest prediction as it would leave. Raises as ``run``."""
        began = monotonic()
        said = self._outlet.check()
        seconds = monotonic() - began
        self._departing.end()
        leaving = self._leaving()
        rows = leaving.newest() if leaving else None
        fields = () if rows is None else rows.schema
        columns = tuple(Leaver(field.name, str(field.type), _shown(rows, field.name)) for field in fields)
        return Checked(self.name, self._spec.kind, said, seconds, columns)

    def _stretch(self) -> tuple[Cursor, int, int]:
        """Where this delivery starts, the number that it goes up to, and how many predictions the outlet leaves."""
        end, identity = self._departing.end()
        known, left = self._outbox.cursor(), 0
        if known is None or known.service != self._origin.service:
            left = 0 if self._spec.history else end
            start = replace(known or _NOWHERE, service=self._origin.service, number=left)
        else:
            made_anew = known.predictions not in ("", identity)
            start = replace(known, number=0) if made_anew else known
        start = replace(start, predictions=identity)
        self._outbox.begin(start)
        return start, end, left

    def _send(self, start: Cursor, end: int, send: Send, progress: Progress, stopped: Event) -> Cursor:
        leaving, done = self._leaving(), start
        for parcel in leaving.parcels(start.number, end) if leaving else ():
            done = self._outbox.add(parcel, send(parcel))
            sent = done.taken + done.dead - start.taken - start.dead
            progress(done.number - start.number, end - start.number, f"{sent:,} rows, {done.dead - start.dead:,} dead")
            if stopped.is_set():
                return done
        return self._outbox.reach(end)

    def _patient(self, patience: float | None) -> Send:
        seconds = self._spec.deadline_seconds if patience is None else patience
        return lambda parcel: retrying(lambda: self._outlet.send(parcel), seconds)

    def _leaving(self) -> Leaving | None:
        """The predictions as they leave; None before the first one."""
        if not self._departing.exists():
            return None
        return Leaving(self.name, self._spec, self._origin.entity, self._departing, self._origin.pages)

    def _alone(self) -> AbstractContextManager[None]:
        return held(self._catalog.work_path("deliver", self.name) / "lock", f"the outlet {self.name}")


def _shown(rows: pa.Table, column: str) -> str | None:
    value = rows.column(column)[0].as_py() if rows.num_rows else None
    return None if value is None else str(value)
