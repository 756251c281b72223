"""Content addresses: SHA-256 over bytes and over the canonical JSON of a value."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

SHORT = 12


@dataclass(frozen=True)
class FileDigest:
    """One file of a folder: its path inside the folder (with /), its SHA-256 and its size in bytes."""

    path: str
    sha256: str
    size: int


def digest_bytes(content: bytes) -> str:
    """SHA-256 of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def canonical_json(value: object) -> bytes:
    """One byte string for one value: keys of mappings sorted, fields as declared, no white space."""
    return msgspec.json.encode(value, order="deterministic")


def digest_of(*values: object) -> str:
    """SHA-256 of the canonical JSON of the values, as 64 hexadecimal digits."""
    return digest_bytes(canonical_json(values))
