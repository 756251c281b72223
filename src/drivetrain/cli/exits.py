"""Exit codes: one for each family of errors. ``docs/errors.md`` lists them."""

from __future__ import annotations

from drivetrain.core.errors import (
    DrivetrainError,
    Forbidden,
    InvalidInput,
    MissingExtra,
    NotFound,
    Refused,
    Tampered,
    Transient,
)

OK = 0
UNEXPECTED = 1
USAGE = 2
STALE = 10
"""``plan --check`` found something stale."""
DRIFTED = 11
"""``monitor --check`` found drift."""
OUT_OF_BOUNDS = 12
"""``replay --check`` found a challenger out of the bounds of the canary; ``packs score`` a pack below its floor."""
NOT_LIVE = 13
"""What serves was changed, and a running server did not take it up in time."""
ALARMED = 14
"""``sources check`` found an alarm."""
INTERRUPTED = 130

_CODES: dict[type[DrivetrainError], int] = {
    InvalidInput: 3,
    NotFound: 4,
    Refused: 5,
    Forbidden: 6,
    Tampered: 7,
    MissingExtra: 8,
    Transient: 9,
}


def exit_code(error: DrivetrainError) -> int:
    """The exit code of an error: that of its family."""
    return next((code for family, code in _CODES.items() if isinstance(error, family)), UNEXPECTED)
