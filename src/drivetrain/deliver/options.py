"""What a person asks of a batch, and what they are told of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from drivetrain.core.refs import Ref

Format = Literal["delta", "parquet"]


@dataclass(frozen=True)
class ScoreOptions:
    """How a batch is scored.

    ``format`` of the output; ``keep`` names the input columns to carry along (None: the entity, if it is there);
    ``max_bad_share`` of the rows may be bad; ``again`` replaces an output that is there; a kill costs at most
    ``commit_rows`` rows or ten seconds of work.
    """

    format: Format = "delta"
    keep: tuple[str, ...] | None = None
    max_bad_share: float = 0.01
    again: bool = False
    commit_rows: int = 262_144


DEFAULTS = ScoreOptions()


@dataclass(frozen=True)
class Scored:
    """What a batch came to: ``rows`` have predictions, ``bad`` have none; ``before`` of both were done in earlier runs.

    ``rows_per_second`` is of this run, which took ``seconds``; ``quarantine`` is None when no row is bad.
    """

    input: str
    release: Ref
    output: Path
    quarantine: Path | None
    rows: int
    bad: int
    before: int
    seconds: float
    rows_per_second: float
