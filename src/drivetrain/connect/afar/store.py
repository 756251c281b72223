"""What every store afar can do, and what can go wrong at one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from drivetrain.core.credentials import SecretRef, Secrets
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Transient
from drivetrain.store.files.listing import FoundFile


@dataclass(frozen=True, kw_only=True)
class FarFile(FoundFile):
    """A file afar: ``key`` is its path below the bucket, or the host. ``size`` 0: empty, or the store does not say."""

    key: str

    @property
    def is_marked(self) -> bool:
        """Whether anything but its size tells that it is what it was."""
        return bool(self.version or self.mtime_ns)


class Store(Protocol):
    """A connection to a store. It tries nothing again: that is for its caller.

    All methods raise Transient for what may pass, Forbidden for refused credentials, NotFound for a bucket or folder
    that is not there, InvalidInput for what the store does not take.
    """

    def look(self, key: str) -> FarFile | None:
        """The file with this key, if there is one."""
        ...

    def walk(self, folder: str, depth: int | None) -> Iterator[FarFile]:
        """All files below the folder; with ``depth`` those further down may be left out."""
        ...

    def fetch(self, file: FarFile, start: int) -> Iterator[bytes]:
        """The content from byte ``start``, in pieces. Raises Replaced when it is not the file that was listed."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class Replaced(Exception):
    """The file is not the one that was listed any more."""


class Unavailable(Transient):
    """A store does not answer, or asks to come back after ``seconds``."""

    def __init__(self, where: str, why: str, seconds: float | None = None) -> None:
        hint = "check the network, `path` and `storage`; then run the same command again: it goes on from here"
        super().__init__("storage_unavailable", f"the store does not answer: {why}", where=where, hint=hint)
        self.seconds = seconds


def credential(secrets: Secrets, ref: SecretRef, where: str) -> str:
    """The credential, fit to be sent. Raises NotFound when it is not there, InvalidInput for what cannot be sent."""
    text = secrets.get(ref)
    if not (text.isascii() and text.isprintable()):
        raise unusable(where, f"{ref} holds line ends or other signs that no key has", "write the key alone into it")
    return text


def forbidden(where: str, why: str) -> Forbidden:
    """The error for credentials that are missing, wrong, expired, or not enough."""
    return Forbidden(
        "storage_forbidden",
        f"the store lets nobody in with these credentials ({why})",
        where=where,
        hint="correct the credentials that `storage` names, or give them the right to list, read or write there",
    )


def missing(where: str, what: str) -> NotFound:
    """The error for a bucket, folder or file that is not there."""
    return NotFound("no_files", f"there is no such {what}", where=where, hint="correct `path`")


def unusable(where: str, why: str, hint: str = "correct `path` and `storage`") -> InvalidInput:
    """The error for a request or an option that the store does not take."""
    return InvalidInput("storage_invalid", why, where=where, hint=hint)
