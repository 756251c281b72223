"""What the supervisor tells a worker when it starts it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from drivetrain.serve.settings import ServerSettings


@dataclass(frozen=True)
class Order:
    """Which worker of which server to be, and where. ``folder`` is the board's, ``pulse`` a descriptor it inherits.

    ``again``: it replaces a worker that ended. ``blamed`` maps releases that brought workers down to what happened.
    """

    settings: ServerSettings
    number: int
    port: int
    url: str
    folder: Path
    pulse: int
    grpc_port: int = 0
    again: bool = False
    blamed: dict[str, str] = field(default_factory=dict)
