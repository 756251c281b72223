"""What the environment of a process says, read once at a door and passed on as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Who acts, and where the private keys of this machine lie.

    ``actor`` None means: the only local identity whose role may do the thing. ``keys`` None means: ``.drivetrain/keys``
    in the project. In ``environment`` credentials may lie, which the project file names.
    """

    actor: str | None = None
    keys: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """From DRIVETRAIN_ACTOR and DRIVETRAIN_KEYS; the rest is kept for whoever looks a credential up."""
        actor, keys = environment.get("DRIVETRAIN_ACTOR"), environment.get("DRIVETRAIN_KEYS")
        return cls(actor or None, Path(keys) if keys else None, environment)
