"""What can be set about listening for HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tls:
    """The PEM files of HTTPS."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class ConnectionLimits:
    """What one worker takes from the network, whatever the service."""

    max_connections: int = 1000
    max_header_bytes: int = 16 * 1024
    max_body_bytes: int = 4 * 1024 * 1024
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 75.0
    write_seconds: float = 30.0
