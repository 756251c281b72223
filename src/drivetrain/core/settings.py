"""What the environment of a process says, read once at a door and passed on as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Who acts, and where the private keys of this machine lie.

    ``actor`` None means: the only local identity whose role may do the thing. ``keys`` None means: ``.drivetrain/keys``
    in the project.
    """

    actor: str | None = None
    keys: Path | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """From DRIVETRAIN_ACTOR and DRIVETRAIN_KEYS."""
        keys = environment.get("DRIVETRAIN_KEYS")
        return cls(actor=environment.get("DRIVETRAIN_ACTOR") or None, keys=Path(keys) if keys else None)
