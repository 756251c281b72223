"""The pulse of a worker: a few bytes that the supervisor reads, with its last sign of life and what it scores with.

So whoever finds a worker dead or silent knows which release was to blame. The bytes are memory that belongs to no
file: a page of a file on a disk that is busy keeps whoever writes to it waiting.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
import time

_PULSE = struct.Struct("<dB")


class Pulse:
    """Shared memory. ``scoring`` is 0, or the number of the release that is being scored with.

    ``handle`` is a descriptor by which a process that inherits it opens the same pulse; without one it is a new one.
    """

    def __init__(self, handle: int | None = None) -> None:
        self.handle = _memory() if handle is None else handle
        self._memory = mmap.mmap(self.handle, _PULSE.size)

    def beat(self) -> None:
        """Say that the worker lives; every process of a machine has the same monotonic clock."""
        struct.pack_into("<d", self._memory, 0, time.monotonic())

    def score_with(self, slot: int) -> None:
        """Say which release is being scored with; 0 when none is."""
        self._memory[8] = slot

    @property
    def silent_seconds(self) -> float:
        """How long ago the last sign of life was."""
        return time.monotonic() - float(_PULSE.unpack_from(self._memory)[0])

    @property
    def scoring(self) -> int:
        """The release that was being scored with."""
        return self._memory[8]

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()
        os.close(self.handle)


def _memory() -> int:
    """The descriptor of so many zero bytes, without a name; where the system has no such memory, in a file."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("drivetrain-pulse")
    else:
        with tempfile.TemporaryFile() as file:
            handle = os.dup(file.fileno())
    os.ftruncate(handle, _PULSE.size)
    return handle
