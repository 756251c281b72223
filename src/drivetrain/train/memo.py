"""What was fitted and judged, kept by content until the model stands: a killed search goes on where it was."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from drivetrain.core.digest import digest_of
from drivetrain.ops.metrics import Numbers
from drivetrain.store.folders import write_file
from drivetrain.train.candidates import Entrant
from drivetrain.train.learner import Params


class Judged(msgspec.Struct, frozen=True):
    """One candidate on one fold: margins (float64 bytes) of the held rows, rounds it took, seconds it took."""

    margins: bytes
    rounds: int
    seconds: float

    def margin(self, classes: int) -> Numbers:
        """The margins [held rows], or [held rows, K] where there are classes."""
        margins = np.frombuffer(self.margins, dtype=np.float64)
        return margins.reshape(-1, classes) if classes else margins


_JUDGED = msgspec.msgpack.Decoder(Judged)


class Memo:
    """Results of one feature table version under one seed, a file each, in a folder that is safe to delete."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, entrant: Entrant, params: Params, step: int) -> Judged | None:
        """What is known; None when nothing is."""
        file = self._file(entrant, params, step)
        try:
            return _JUDGED.decode(file.read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def put(self, entrant: Entrant, params: Params, step: int, judged: Judged) -> None:
        """Keep it."""
        write_file(self._file(entrant, params, step), msgspec.msgpack.encode(judged))

    def _file(self, entrant: Entrant, params: Params, step: int) -> Path:
        return self._folder / f"{digest_of(entrant.name, entrant.code, params, step)}.judged"
