"""What the metrics page of a server shows: the counts of all workers, added up, and what is the case now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from drivetrain.ops.live import LiveCounts
from drivetrain.serve.board import Board, Note
from drivetrain.serve.counts import Counts
from drivetrain.serve.metrics import Gauge, ServiceView, render
from drivetrain.serve.service import Service
from drivetrain.store.segments import waiting_bytes

SERVER = "(server)"
"""The service under which stands what belongs to none."""


class MetricsPage:
    """Any worker can be asked; it reads the notes of the others, which are about a second old at most."""

    def __init__(
        self, services: Sequence[Service], board: Board, counts: Counts, connections: Callable[[], int]
    ) -> None:
        self._services = services
        self._board = board
        self._counts = counts
        self._connections = connections

    def text(self, pid: int) -> bytes:
        """The page, asked of the worker with this process id."""
        others = [note for note in self._board.notes() if note.pid != pid]
        views = [self._view(service, others) for service in self._services]
        own = Gauge("drivetrain_connections", "Callers who are connected.", self._connections() + _connected(others))
        workers = Gauge("drivetrain_workers", "Workers that serve.", 1 + sum(note.serving for note in others))
        total = _total(self._counts, (note.counts for note in others))
        return render([*views, ServiceView(SERVER, "", total, (own, workers))])

    def _view(self, service: Service, others: Sequence[Note]) -> ServiceView:
        theirs = [note.services[service.name] for note in others if service.name in note.services]
        total = _total(service.counts, (note.counts for note in theirs))
        lineup = service.lineup
        release = lineup.champion.contender.name if lineup else ""
        gauges = [
            Gauge(
                "drivetrain_ready", "1 while the service answers, 0 while it is quarantined.", float(lineup is not None)
            ),
            Gauge(
                "drivetrain_journal_waiting_bytes",
                "In the journal, not yet in the lake.",
                waiting_bytes(service.journal),
            ),
        ]
        if lineup is not None:
            champion = lineup.champion
            gauges.append(Gauge("drivetrain_waiting_rows", "Rows that wait to be scored.", champion.waiting_rows))
            gauges.append(Gauge("drivetrain_deployment", "The deployment that is taken up.", lineup.deployment.version))
            champion.contender.count_live()
            live = LiveCounts(champion.contender.release.reference)
            live.merge(champion.contender.release.live.state())
            for note in theirs:
                if note.release == release:
                    live.merge([np.array(counts) for counts in note.live])
            gauges += _drift(live)
        return ServiceView(service.name, release, total, tuple(gauges))


def _total(own: Counts, others: Iterable[Counts]) -> Counts:
    total = Counts()
    for counts in (own, *others):
        total.add(counts)
    return total


def _connected(notes: Sequence[Note]) -> int:
    return sum(note.connections for note in notes if note.serving)


def _drift(live: LiveCounts) -> Iterator[Gauge]:
    for name, psi, missing in live.psi():
        labels = (("column", name),)
        yield Gauge("drivetrain_psi", "Population stability index of a column against the training data.", psi, labels)
        yield Gauge("drivetrain_missing", "Share of rows without a value, 0 to 1.", missing, labels)
