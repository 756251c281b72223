"""Merging the small files of tables, in a process of its own: ``python -m drivetrain.store.compaction FOLDER...``.

Merging takes memory that a long-lived process would not give back. Ending it at any moment leaves the table as it was.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from drivetrain.core.errors import Transient
from drivetrain.store.tables import Table


def compact(tables: Sequence[Table]) -> None:
    """Compact the tables that were ever written, and wait for it. Raises Transient when that process fails."""
    folders = [str(table.path) for table in tables if table.exists()]
    command = [sys.executable, "-m", "drivetrain.store.compaction", *folders]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)  # noqa: S603 - ourselves
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise Transient("compaction_failed", said, where=", ".join(folders), hint="it is tried again by itself")


def main() -> None:
    """Compact the tables in the folders that are the arguments."""
    for folder in sys.argv[1:]:
        Table(Path(folder)).compact()


if __name__ == "__main__":
    main()
