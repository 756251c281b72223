"""The two people who share the work, and whoever else has a say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person answers for."""

    ML_ENGINEER = "ml-engineer"
    AI_ENGINEER = "ai-engineer"
    AUDITOR = "auditor"


@dataclass(frozen=True)
class Actor:
    """A person or a machine that acts: name, role, and Ed25519 public key (base64 of the 32 raw bytes)."""

    name: str
    role: Role
    public_key: str
