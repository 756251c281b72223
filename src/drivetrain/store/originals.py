"""Originals of documents, kept by the SHA-256 of their content for so many days, and no longer.

The rule is part of the place (``originals/90-days/ab/abcd...``), so that whoever sweeps needs to ask nobody. A file is
there whole or not at all, and goes in one step.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path

from drivetrain.store.folders import write_file

_DAY = 86400.0
_RULE = re.compile(r"([1-9][0-9]*)-days")


class Originals:
    """The originals of a project whose state lies in ``state``."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "originals"

    def keep(self, content: bytes, sha256: str, days: int) -> None:
        """Keep an original from now on; one that is there begins its days anew."""
        path = self._folder / f"{days}-days" / sha256[:2] / sha256
        if path.exists():
            path.touch()
        else:
            write_file(path, content, mode=0o600)

    def find(self, sha256: str) -> Path | None:
        """Where an original lies, if it is kept."""
        return next(iter(sorted(self._folder.glob(f"*-days/{sha256[:2]}/{sha256}"))), None)

    def sweep(self, now: float | None = None) -> int:
        """Remove what is over its days, and what a killed process left unfinished; how many originals went."""
        moment, gone = time.time() if now is None else now, 0
        for folder in self._folder.glob("*-days"):
            rule = _RULE.fullmatch(folder.name)
            for file in folder.glob("*/*") if rule else ():
                unfinished = file.name.startswith(".new-")
                days = 1 if unfinished or rule is None else int(rule[1])
                with suppress(FileNotFoundError):  # another process sweeps too
                    if moment - file.stat().st_mtime > days * _DAY:
                        file.unlink()
                        gone += not unfinished
        return gone
