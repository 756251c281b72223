"""Merging the small files of tables, in a process of its own: ``python -m drivetrain.store.compaction FOLDER...``.

Merging takes memory that a long-lived process would not give back, and the processor for seconds: so it takes only what
others leave of that, while rows go on to be added. Ending it at any moment leaves the table as it was.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from drivetrain.core.errors import Transient
from drivetrain.store.tables import Table

_NICE = 10
"""A tenth of the weight of others: less, and it would not end where the processor is never idle."""


class Compaction:
    """The tables that were ever written are being compacted."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._folders = [str(table.path) for table in tables if table.exists()]
        command = [sys.executable, "-m", "drivetrain.store.compaction", *self._folders]
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def is_over(self) -> bool:
        """Whether it has ended. Raises Transient when it failed."""
        if self._process.poll() is None:
            return False
        self.wait()
        return True

    def wait(self) -> None:
        """Until it has ended. Raises Transient when it failed."""
        _, said = self._process.communicate()
        if self._process.returncode:
            last = (said.strip().splitlines() or [f"it ended with {self._process.returncode}"])[-1]
            where, hint = ", ".join(self._folders), "it is tried again by itself"
            raise Transient("compaction_failed", last, where=where, hint=hint)

    def end(self) -> None:
        """Leave the tables as they are."""
        self._process.terminate()
        self._process.communicate()


def main() -> None:
    """Compact the tables in the folders that are the arguments."""
    os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    for folder in sys.argv[1:]:
        Table(Path(folder)).compact()


if __name__ == "__main__":
    main()
