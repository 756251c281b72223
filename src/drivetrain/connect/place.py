"""Where what connects works."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from drivetrain.core.credentials import NoSecrets, Secrets
from drivetrain.store.catalog import Catalog


@dataclass(frozen=True)
class Place:
    """Where a source or an outlet is opened: the project, a folder for what was fetched, who knows the credentials."""

    home: Path
    cache: Path
    secrets: Secrets = field(default_factory=NoSecrets)


def place_of(catalog: Catalog, secrets: Secrets) -> Place:
    """Where the readers and the outlets of a project work."""
    return Place(catalog.home, catalog.state / "cache", secrets)
