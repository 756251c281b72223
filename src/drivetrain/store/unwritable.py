"""What is said when the disk refuses what has to be kept: nobody hears an answer that is not written down."""

from __future__ import annotations

from pathlib import Path

from drivetrain.core.errors import Transient


def unwritable(what: str, folder: Path, error: OSError) -> Transient:
    """The error that ``what``, which lies in this folder, cannot be written."""
    return Transient(
        "journal_unwritable",
        f"{what} cannot be written: {error.strerror}",
        where=str(folder),
        hint="free disk space, then ask again",
    )
