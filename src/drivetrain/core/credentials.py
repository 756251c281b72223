"""Credentials, which stand in the project file by reference only: where they lie, never what they are."""

from __future__ import annotations

from typing import Protocol, Self

from pydantic import Field, model_validator

from drivetrain.core.errors import NotFound
from drivetrain.core.spec import Spec


class SecretRef(Spec):
    """Where a password, key or token lies: ``{env: NAME}`` or ``{file: /run/secrets/name}``."""

    env: str | None = Field(None, description="Name of an environment variable.")
    file: str | None = Field(None, description="Path of a file, relative to the project; a line end is left out.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("a credential is `{env: NAME}` or `{file: PATH}`, one of them")
        return self

    def __str__(self) -> str:
        return f"environment variable {self.env}" if self.env else f"file {self.file}"


class Secrets(Protocol):
    """Whoever can look credentials up. What it gives is never logged, stored or part of an error."""

    def get(self, ref: SecretRef) -> str:
        """The credential as it is now; ask again after it was refused. Raises NotFound ``secret_missing``."""
        ...


class NoSecrets:
    """Knows none."""

    def get(self, ref: SecretRef) -> str:
        """Raises NotFound."""
        raise secret_missing(ref)


def secret_missing(ref: SecretRef, why: str = "is not there") -> NotFound:
    """The error of a credential that cannot be looked up."""
    hint = f"export {ref.env}=... before the command" if ref.env else "write the credential into that file"
    return NotFound("secret_missing", f"the credential {why}", where=str(ref), hint=hint)
