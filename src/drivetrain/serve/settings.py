"""Everything that can be set about a prediction server, in one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ServeSettings:
    """How to serve the service ``service`` of the project in ``home``.

    ``port`` 0 picks a free one. ``requests_per_second`` is per API key, with bursts of one second. With ``fsync`` an
    acknowledged prediction survives a power cut; without it, the default, it survives the end of any process.
    ``roll_seconds`` is how often the journal moves into the lake.
    """

    home: Path
    service: str
    host: str = "127.0.0.1"
    port: int = 8080
    max_body_bytes: int = 4 * 1024 * 1024
    max_rows: int = 10_000
    max_waiting_rows: int = 100_000
    max_explained_rows: int = 100
    requests_per_second: float | None = None
    fsync: bool = False
    roll_seconds: float = 2.0
    drain_seconds: float = 8.0
