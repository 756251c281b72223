"""The parent's side of the process that reads documents: a hostile one may end that process, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from threading import Event, Lock, Timer
from types import TracebackType
from typing import Self

import msgspec

from drivetrain.connect.papers.frames import ANSWER, DESCRIBE, DONE, MISSING, ORDER, READ, READY, REQUEST, Complaint
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import DrivetrainError, InvalidInput, MissingExtra, Transient
from drivetrain.core.papers import Paper, PaperRow
from drivetrain.core.reading import AS_IT_IS, PaperReading
from drivetrain.store.papers.complaints import too_large

_COMMAND = [sys.executable, "-P", "-m", "drivetrain.connect.papers.process"]
_START_SECONDS = 60.0


class PaperDesk:
    """Reads one document at a time, from any thread, in a process that starts with the first and stays."""

    def __init__(self, reading: PaperReading = AS_IT_IS) -> None:
        self._limits, self._order = reading.limits, msgspec.json.encode(reading)
        self._reading = Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Of the process; 0 before the first document, and after one that ended it."""
        return self._process.pid if self._process else 0

    def read(self, content: bytes) -> Paper:
        """The document. Raises as ``reading.read_paper`` does, and InvalidInput when it ends the process or takes too
        long; Transient when the process cannot be started."""
        return read_json(self._told(READ, content), Paper)

    def describe(self, content: bytes) -> PaperRow:
        """What is told of the document in a row: text, language, fields. Raises as ``read`` does."""
        return read_json(self._told(DESCRIBE, content), PaperRow)

    def kill(self) -> None:
        """End the process at once, also while it reads: whoever waits for it hears of it."""
        process = self._process
        if process is not None:
            _kill(process)

    def close(self) -> None:
        """End the process."""
        with self._reading:
            self._end()

    def _told(self, asked: bytes, content: bytes) -> bytes:
        if len(content) > self._limits.bytes:
            raise too_large(f"the document has {len(content):,} bytes, more than {self._limits.bytes:,}")
        with self._reading:
            process = self._process = self._process or self._started()
            answer = self._ask(process, REQUEST.pack(asked, len(content)) + content, self._limits.seconds)
        if answer is None:
            raise _harmful(f"reading it took more than {self._limits.seconds:g} seconds")
        kind, body = answer
        if kind == DONE:
            return body
        if not kind:
            raise _harmful("the process that read it ended")
        raise _refusal(kind, read_json(body, Complaint))

    def _started(self) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        process = self._process = subprocess.Popen(  # noqa: S603 - our own module
            _COMMAND, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        answer = self._ask(process, ORDER.pack(len(self._order)) + self._order, _START_SECONDS)
        if answer is None or answer[0] != READY:
            raise Transient(
                "document_reader_down",
                "the process that reads documents does not start",
                hint="look for memory and processes that are left; `drivetrain doctor` looks at this machine",
            )
        return process

    def _ask(self, process: subprocess.Popen[bytes], request: bytes, seconds: float) -> tuple[bytes, bytes] | None:
        """Send and wait for the answer: its kind, which is empty when the process ended, and body; None: too late."""
        assert process.stdin is not None
        assert process.stdout is not None
        late = Event()

        def give_up() -> None:
            late.set()
            _kill(process)

        timer = Timer(seconds, give_up)
        timer.start()
        kind, body = b"", b""
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(request)
                process.stdin.flush()
            head = process.stdout.read(ANSWER.size)
            if len(head) == ANSWER.size:
                kind, size = ANSWER.unpack(head)
                body = process.stdout.read(size)
                kind = kind if len(body) == size else b""
        finally:
            timer.cancel()
            timer.join()
            if not kind or late.is_set():
                self._end()
        return None if late.is_set() and not kind else (kind, body)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            _kill(process)
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(BrokenPipeError):
                        stream.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it started."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _harmful(why: str) -> InvalidInput:
    return InvalidInput(
        "document_harmful", why, hint="look at it on a machine that may be lost; print it to a new PDF if it is needed"
    )


def _refusal(kind: bytes, complaint: Complaint) -> DrivetrainError:
    if kind == MISSING:
        return MissingExtra(complaint.message, complaint.hint)
    return InvalidInput(complaint.code, complaint.message, hint=complaint.hint)
