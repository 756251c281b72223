"""One writer at a time: a lock that the operating system lets go of when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drivetrain.core.errors import Transient


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file at ``path`` while the block runs. Raises Transient when another process works on ``what``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Transient(
                "in_use", f"another process works on {what}", where=str(path), hint="wait for it to end, then try again"
            ) from None
        yield
