"""Models that are a person's Python code: what lies in the model folder, and the pool of processes that runs it.

The code never runs in the process that asks: it is put into a folder of its own from bytes that were checked, and
imported there by processes that can crash, hang or run out of memory without harm to anybody else.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from queue import LifoQueue

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import DrivetrainError, InvalidInput, Transient
from drivetrain.core.model import Signature
from drivetrain.store.code_child import CodeChild
from drivetrain.store.code_process import CodeColumn, Order

CODE = "code/"
"""The folder, inside a model folder, of the code and what it needs."""
MOST_ROWS = 512
"""Rows of one call of the code: what the time limit is for. More are asked for one call after the other."""
MOST_FAILURES = 5
"""Calls in a row that lose their process; then the model is ``broken`` and gets a rest."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class CodeEntry:
    """``entry.json``: the function that scores (``file.py:name``), and what it may take.

    ``processes`` run side by side, a call of at most 512 rows may take ``seconds``, a process ``memory_mb`` MiB of
    address space. A model that is broken is not tried again for ``rest_seconds``.
    """

    function: str
    processes: int = 1
    seconds: float = 2.0
    memory_mb: int | None = None
    rest_seconds: float = 10.0


@dataclass(frozen=True)
class ModelCode:
    """A model that is code: where it begins, and the files by their path in the project."""

    entry: CodeEntry
    files: Mapping[str, bytes]

    def write(self, folder: Path) -> None:
        """Put the files into an empty folder. Raises InvalidInput when a path leads out of it."""
        for name, content in self.files.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise InvalidInput("model_unreadable", f"{name} leads out of the model", where=self.entry.function)
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


class CodeScorer:
    """A model's code, ready to score: a pool of ``processes`` processes. To be closed; may be used by many threads.

    ``seconds`` and ``processes`` are those of the model when not given. Raises InvalidInput when the code cannot be
    imported, Transient when a process ends or hangs on the way.
    """

    in_process = False

    def __init__(
        self, code: ModelCode, signature: Signature, *, processes: int | None = None, seconds: float | None = None
    ) -> None:
        self.processes = processes or code.entry.processes
        self._seconds = seconds or code.entry.seconds
        self._rest = code.entry.rest_seconds
        self._width = len(signature.inputs)
        self._lock = threading.Lock()
        self._failures = 0
        self._rest_until = 0.0
        self._closed = False
        self._children: set[CodeChild] = set()
        self._idle: LifoQueue[CodeChild | None] = LifoQueue()
        folder = Path(tempfile.mkdtemp(prefix="drivetrain-code-")).resolve()
        # Also when it was forgotten, or the interpreter ends: no process and no folder is left.
        self._end = weakref.finalize(self, _end_all, self._children, folder)
        try:
            code.write(folder)
            columns = [CodeColumn(field.name, field.type.value, field.categories) for field in signature.inputs]
            limits = self._seconds, code.entry.memory_mb
            asked = signature.task.value, signature.classes
            self._order = Order(str(folder), code.entry.function, columns, *limits, *asked)
            self._start_all()
        except BaseException:
            self._end()
            raise

    @property
    def broken(self) -> bool:
        """Whether the last calls all lost their process. After a rest it is tried again; one success mends it."""
        return self._failures >= MOST_FAILURES

    @property
    def pids(self) -> Sequence[int]:
        """Of the processes that run now."""
        with self._lock:
            return sorted(child.pid for child in self._children)

    def score(self, rows: Numbers) -> Numbers:
        """What the code answers to each packed row: [n, F] -> [n], or [n, K] of classes. Waits for a free process.

        Raises InvalidInput when the code raises, or answers with something that is no answer; Transient when its
        process ends (``model_crashed``), takes too long (``model_timeout``), or has done so again and again
        (``model_broken``).
        """
        if rows.ndim != 2 or rows.shape[1] != self._width:
            raise InvalidInput("model_code_failed", f"rows {rows.shape} for a model of {self._width} inputs")
        parts = [self._call(rows[at : at + MOST_ROWS]) for at in range(0, len(rows), MOST_ROWS)]
        return np.concatenate(parts) if parts else np.empty(0)

    def close(self) -> None:
        """End the processes and remove their folder; a call that is under way ends with Transient."""
        with self._lock:
            self._closed = True
            for child in self._children:
                child.kill()
            idle = [self._idle.get() for _ in range(self._idle.qsize())]
            for child in filter(None, idle):
                child.end()
            for _ in idle:
                self._idle.put(None)  # for those who wait: they are told
        self._end.detach()
        shutil.rmtree(self._order.folder, ignore_errors=True)

    def _call(self, rows: Numbers) -> Numbers:
        with self._child() as child:
            return child.score(np.ascontiguousarray(rows, dtype=np.float64))

    @contextmanager
    def _child(self) -> Iterator[CodeChild]:
        """A process for one call. One that was lost is replaced at once, so that the next call need not wait."""
        free = self._idle.get()
        try:
            self._refuse()
            child = free or self._start()
        except BaseException:
            self._idle.put(free)
            raise
        try:
            yield child
        finally:
            self._give_back(child)

    def _refuse(self) -> None:
        if self._closed:
            raise _closed()
        if self.broken and time.monotonic() < self._rest_until:
            raise Transient(
                "model_broken",
                f"the model's code lost its process {self._failures} times in a row, so it is not asked now",
                where=self._order.function,
                hint=f"it is tried again within {self._rest:g} s; drivetrain rollback goes back to another release",
            )

    def _give_back(self, child: CodeChild) -> None:
        """The child when it can be used again, or one in its place; none while a broken model rests."""
        with self._lock:
            if child.usable and not self._closed:
                self._failures = 0
                self._idle.put(child)
                return
            self._failures += 1
            self._rest_until = time.monotonic() + self._rest
            self._children.discard(child)
        child.end()
        fresh = None
        if not self.broken:
            with suppress(Transient):  # whoever calls next tries again, and is told
                fresh = self._start()
        self._idle.put(fresh)

    def _start_all(self) -> None:
        children = [self._start() for _ in range(self.processes)]
        for child in children:
            child.get_ready()
            self._idle.put(child)

    def _start(self) -> CodeChild:
        with self._lock:
            if self._closed:
                raise _closed()
            try:
                child = CodeChild(self._order)
            except OSError as error:
                raise Transient(
                    "model_crashed", f"no process can be started: {error.strerror}", where=self._order.function
                ) from error
            self._children.add(child)
            return child


def _closed() -> DrivetrainError:
    return Transient("model_closed", "this model was closed", hint="ask the release that serves now")


def _end_all(children: set[CodeChild], folder: Path) -> None:
    for child in list(children):
        child.end()
    shutil.rmtree(folder, ignore_errors=True)
