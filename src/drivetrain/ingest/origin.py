"""Where a row of a load comes from."""

from __future__ import annotations

from enum import StrEnum


class Origin(StrEnum):
    """Where a staged row comes from; rows that stood in the table come first in every order."""

    STORED = "0"
    QUARANTINE = "1"
    SOURCE = "2"
