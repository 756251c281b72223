"""Credentials by reference: from the environment of the process, or from files such as those that Kubernetes mounts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from drivetrain.core.credentials import SecretRef, secret_missing


class KnownSecrets:
    """Looks credentials up in ``environment`` and below the project folder ``home``; files are read anew each time."""

    def __init__(self, environment: Mapping[str, str], home: Path) -> None:
        self._environment = environment
        self._home = home

    def get(self, ref: SecretRef) -> str:
        """The credential as it is now. Raises NotFound where there is none."""
        if ref.env is not None:
            found = self._environment.get(ref.env, "")
        else:
            try:
                found = (self._home / (ref.file or "")).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise secret_missing(ref, f"cannot be read: {type(error).__name__}") from None
        if not found:
            raise secret_missing(ref, "is empty or not there")
        return found
