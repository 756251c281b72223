"""One process at a time: locks that the operating system lets go of when their holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drivetrain.core.errors import Transient


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file while the block runs. Raises Transient at once when another process works on ``what``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Transient(
                "in_use",
                f"process {file.read() or 'unknown'} works on {what}",
                where=str(path),
                hint="wait for it to end, then run the same command again",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock file while the block runs; who comes second waits. For work that takes moments."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
