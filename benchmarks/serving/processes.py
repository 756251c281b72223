"""What the processes of a server take while it runs: memory and file handles, once a second, from /proc."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_EVERY_S = 1.0


class Sample(NamedTuple):
    """A process at a moment (s from the start): resident bytes and open file handles."""

    at: float
    resident: int
    handles: int


@dataclass
class History:
    """The samples of one process."""

    name: str
    samples: list[Sample] = field(default_factory=list)

    def slope(self, what: str, skip: float) -> float:
        """How fast ``what`` grows (a second), by least squares without the first share ``skip`` of the samples."""
        kept = self.samples[int(len(self.samples) * skip) :]
        if len(kept) < 2:
            return 0.0
        return float(np.polyfit([sample.at for sample in kept], [getattr(sample, what) for sample in kept], 1)[0])


class Watch:
    """Watches a process and all that came from it, as long as the ``with`` lasts; ``histories`` are by process id."""

    def __init__(self, leader: int) -> None:
        self.histories: dict[int, History] = {}
        self._leader = leader
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._look(0.0)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def resident(self) -> int:
        """Bytes that all of them hold now."""
        return sum(_sample(pid, 0.0).resident for pid in _family(self._leader))

    def _run(self) -> None:
        at = _EVERY_S
        while not self._stop.wait(_EVERY_S):
            self._look(at)
            at += _EVERY_S

    def _look(self, at: float) -> None:
        for pid in _family(self._leader):
            with suppress(OSError):  # it has just ended
                history = self.histories.setdefault(pid, History(_name(pid)))
                history.samples.append(_sample(pid, at))


def _family(leader: int) -> list[int]:
    """The process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [leader]
    for pid in found:  # grows while it is read
        found += children.get(pid, [])
    return found


def _sample(pid: int, at: float) -> Sample:
    place = _PROC / str(pid)
    resident = int((place / "statm").read_text().split()[1]) * _PAGE
    return Sample(at, resident, sum(1 for _ in (place / "fd").iterdir()))


def _name(pid: int) -> str:
    """The module that it runs, or its program."""
    words = (_PROC / str(pid) / "cmdline").read_bytes().decode().split("\0")
    module = words[words.index("-m") + 1] if "-m" in words[:-1] else Path(words[0]).name
    return f"{module} ({pid})"
