"""The parent's side of one process that runs a person's scoring code: start it, ask it, end it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.errors import DrivetrainError, InvalidInput, Transient
from drivetrain.store.code_process import (
    ANSWER,
    FAILED,
    LENGTH,
    LONGEST_COMPLAINT,
    READY,
    SCORES,
    START_SECONDS,
    Order,
    sound,
)

_COMMAND = [sys.executable, "-P", "-m", "drivetrain.store.code_process"]
"""Without the folder it is called from on the path (-P): code is imported from the model alone."""
_PASSED_ON = (
    "PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE",
)  # fmt: skip
_SET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
_READ = 1 << 18
_MOST_READS = 64
_LAST_WORDS = 4096
_LAST_LINES = 12


class CodeChild:
    """One process. It takes one call at a time; after a call that left it not ``usable`` it must be ended.

    It is started at once and gets ready while nobody waits.
    """

    def __init__(self, order: Order) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            _COMMAND, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, cwd=order.folder, env=_surroundings(),
            start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._to, self._from, self._said = (
            stream.fileno() for stream in (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        self._poll = select.poll()
        for handle in (self._from, self._said):
            self._poll.register(handle, select.POLLIN)
        for handle in (self._to, self._from, self._said):
            os.set_blocking(handle, False)
        self._killing = Lock()
        self._order = order
        self._ready = False
        self._noise = b""
        self.usable = False

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def get_ready(self) -> None:
        """Wait until the code is imported. Raises InvalidInput when it cannot be, Transient when it ends or hangs."""
        if not self._ready:
            kind, body = self._exchange(self._order.encode(), START_SECONDS, LONGEST_COMPLAINT)
            if kind == FAILED:
                raise self._complained(body)
            if kind != READY:
                raise self._babbled()
            self._ready = self.usable = True

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the code answers to each packed row: [n, F] -> [n], or [n, K] of classes; n > 0.

        Raises InvalidInput when the code raises or answers with something else, Transient when the process ends or
        takes too long.
        """
        self.get_ready()
        self.usable = False
        size = 8 * len(rows) * max(1, len(self._order.classes))
        most = max(size, LONGEST_COMPLAINT)
        kind, body = self._exchange(LENGTH.pack(len(rows)) + rows.tobytes(), self._order.seconds, most)
        if kind == FAILED:
            self.usable = True
            raise self._complained(body)
        scores = np.frombuffer(body).copy() if kind == SCORES and len(body) == size else None
        if scores is None or not sound(scores, self._order.task).all():
            raise self._babbled()
        self.usable = True
        return scores.reshape(len(rows), -1) if self._order.classes else scores

    def kill(self) -> None:
        """End the process and all that it has started; from any thread. A call that is under way hears of it.

        Of a process that is ending already, the exit code stays what it was.
        """
        with self._killing:
            if self._process.returncode is None:
                with suppress(ProcessLookupError, PermissionError):  # not reaped yet: the number is still its own
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def end(self) -> None:
        """``kill``, and let go of the pipes; not while a call is under way."""
        self.kill()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _exchange(self, request: bytes, seconds: float, most: int) -> tuple[bytes, bytes]:
        """Send a request, take one answer of at most ``most`` bytes: its kind and its body."""
        late = time.monotonic() + seconds
        answer = bytearray()
        unsent = self._send(memoryview(request))
        if unsent:
            self._poll.register(self._to, select.POLLOUT)
        while (whole := self._whole(answer, most)) is None:
            left = late - time.monotonic()
            if left <= 0:
                raise self._timed_out(seconds)
            for handle, _ in self._poll.poll(left * 1000 + 1):
                if handle == self._from:
                    answer += self._receive()
                elif handle == self._said:
                    self._listen()
                else:
                    unsent = self._send(unsent)
                    if not unsent:
                        self._poll.unregister(self._to)
        if unsent:
            raise self._babbled()
        return whole

    def _send(self, unsent: memoryview) -> memoryview:
        """Write what the pipe takes; the rest. Of a process that is gone the answer's end tells."""
        try:
            return unsent[os.write(self._to, unsent) :]
        except BlockingIOError:
            return unsent
        except BrokenPipeError:
            return unsent[:0]

    def _receive(self) -> bytes:
        found = os.read(self._from, _READ)
        if not found:
            raise self._crashed()
        return found

    def _listen(self) -> bool:
        """Keep the end of what the code says on standard error; whether there may be more."""
        try:
            said = os.read(self._said, _READ)
        except BlockingIOError:
            return False
        if not said:
            with suppress(KeyError):
                self._poll.unregister(self._said)
        self._noise = (self._noise + said)[-_LAST_WORDS:]
        return bool(said)

    def _whole(self, answer: bytearray, most: int) -> tuple[bytes, bytes] | None:
        if len(answer) < ANSWER.size:
            return None
        kind, size = ANSWER.unpack_from(answer)
        if size > most or len(answer) > ANSWER.size + size:
            raise self._babbled()
        return (kind, bytes(answer[ANSWER.size :])) if len(answer) == ANSWER.size + size else None

    # --- what may go wrong -------------------------------------------------------------------------------------

    def _complained(self, body: bytes) -> DrivetrainError:
        where, _, said = body.decode(errors="replace").partition(": ")
        return InvalidInput(
            "model_code_failed",
            f"the model's code failed: {said}",
            where=where,
            hint=f"correct {self._order.function}, then train again",
        )

    def _babbled(self) -> DrivetrainError:
        return Transient(
            "model_crashed",
            "the model's process answered with something that is no answer",
            where=self._order.function,
            hint="its code must leave the file descriptors alone that it did not open",
        )

    def _timed_out(self, seconds: float) -> DrivetrainError:
        return Transient(
            "model_timeout",
            f"the model's code did not answer within {seconds:g} s, so its process was ended",
            where=self._order.function,
            hint="make it faster, or raise model.limits.seconds",
        )

    def _crashed(self) -> DrivetrainError:
        """How the process ended, and its last words."""
        self.kill()
        for _ in range(_MOST_READS):  # whoever it started and let go may go on talking
            if not self._listen():
                break
        said = self._noise.decode(errors="replace").replace(f"{self._order.folder}/", "").splitlines()
        lines = [line[:200] for line in said if line.strip()][-_LAST_LINES:]
        words = "; its last words:\n  " + "\n  ".join(lines) if lines else ""
        return Transient(
            "model_crashed",
            f"the model's process ended by {_way(self._process.returncode)}{words}",
            where=self._order.function,
            hint="the next call gets a new process",
        )


def _way(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    name = next((known.name for known in signal.Signals if known == -code), "unnamed")
    memory = ", perhaps for want of memory" if -code == signal.SIGKILL else ""
    return f"signal {-code} ({name}{memory})"


def _surroundings() -> dict[str, str]:
    """The few variables that a library may need; none of a server's secrets. One thread, and the same hashes always."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    if "PYTHONPATH" in passed:  # the process works in another folder
        places = [str(Path(place).resolve()) for place in passed["PYTHONPATH"].split(os.pathsep) if place]
        passed["PYTHONPATH"] = os.pathsep.join(places)
    return passed | _SET
