"""Errors a person can act on: what happened, where, and the next command.

``core`` knows neither exit codes nor HTTP: each door keeps one table from these families to its own numbers.
Whether a retry helps is the type: only ``Transient`` is retried.
"""

from __future__ import annotations

from collections.abc import Iterable


class DrivetrainError(Exception):
    """The root of all errors that Drivetrain raises on purpose.

    ``code`` is stable and greppable, ``message`` says what happened, ``where`` names the file, table or field,
    ``hint`` is the next thing to do.
    """

    def __init__(self, code: str, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        cure = f"\n  -> {self.hint}" if self.hint else ""
        return f"{place}{self.message} [{self.code}]{cure}"


class InvalidInput(DrivetrainError):
    """What a person or a caller gave is not usable as it is: a project file, a data file, a request."""


class NotFound(DrivetrainError):
    """A named thing does not exist."""


class Refused(DrivetrainError):
    """A rule said no: a contract, a leak, a failed gate, a changed schema."""


class Forbidden(DrivetrainError):
    """The actor may not do this."""


class Tampered(DrivetrainError):
    """Bytes are not what was signed."""


class MissingExtra(DrivetrainError):
    """An optional library or a program is not installed; the hint holds the install line."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__("extra_missing", f"{library} is not installed", hint=f"pip install 'drivetrain[{extra}]'")
        self.library, self.extra = library, extra


class Transient(DrivetrainError):
    """Something outside did not answer; the same call may succeed later, after ``seconds`` where it says so."""

    def __init__(
        self, code: str, message: str, *, where: str = "", hint: str = "", seconds: float | None = None
    ) -> None:
        super().__init__(code, message, where=where, hint=hint)
        self.seconds = seconds


def examples(values: Iterable[object], limit: int = 5) -> str:
    """At most ``limit`` values as text, with the count of the rest."""
    items = [str(value) for value in values]
    rest = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + rest
