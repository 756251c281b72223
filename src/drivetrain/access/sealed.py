"""Reading a folder that somebody may have tampered with: plain files only, no links, never more bytes than promised."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from drivetrain.core.errors import InvalidInput, NotFound, Tampered, examples

LARGEST = 64 * 1024 * 1024
"""Bytes of a file whose size nobody promised; a page with its own charts has about five million."""
_HINT = "fetch the release again"


def changed(name: str, why: str = "") -> Tampered:
    """The error for a file that is not what was signed; the folder is added where it is known."""
    detail = f": {why}" if why else ""
    return Tampered("file_changed", f"{name} is not what was signed{detail}", hint=_HINT)


@dataclass(frozen=True)
class SealedFolder:
    """A folder and the paths inside it (with /). An empty folder inside it is listed too, with a / at its end."""

    path: Path
    names: frozenset[str]

    @classmethod
    def open(cls, path: Path) -> SealedFolder:
        """List the folder. Raises NotFound, InvalidInput when it cannot be read, Tampered for a link or a device."""
        try:
            return cls(path, frozenset(_walk(path)))
        except (FileNotFoundError, NotADirectoryError):
            hint = "`drivetrain ls release` lists what there is"
            raise NotFound("release_missing", "there is no release here", where=str(path), hint=hint) from None
        except OSError as error:
            raise _unreadable(path, error) from None

    def read(self, name: str, size: int = LARGEST) -> bytes:
        """The bytes of a file. Raises Tampered when it is missing or longer than ``size``."""
        if name not in self.names:
            raise Tampered("file_missing", f"{name} is missing", hint=_HINT)
        try:
            handle = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as file:
                content = file.read(size + 1)
        except OSError as error:
            raise _unreadable(self.path / name, error) from None
        if len(content) > size:
            raise changed(name, f"it is longer than {size} bytes")
        return content

    def refuse_others(self, known: Collection[str]) -> None:
        """Raise Tampered, with their names, when files lie here that are not among ``known``."""
        others = sorted(self.names.difference(known))
        if others:
            names = examples(_shown(name) for name in others)
            raise Tampered("file_added", f"{names} does not belong here", hint=_HINT)


def _walk(path: Path) -> Iterator[str]:
    """The paths below a folder, without recursion: somebody else decides how deep it is."""
    left = [""]
    while left:
        inside = left.pop()
        with os.scandir(path / inside) as entries:
            found = list(entries)
        for entry in found:
            name = inside + entry.name
            if entry.is_dir(follow_symlinks=False):
                left.append(f"{name}/")
            elif stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
                yield name
            else:
                what = f"{_shown(name)} is a link or a device, not a file"
                raise Tampered("file_is_a_link", what, hint=_HINT)
        if inside and not found:
            yield inside


def _shown(name: str) -> str:
    return name if name.isprintable() else ascii(name)


def _unreadable(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput("file_unreadable", f"cannot be read: {error.strerror}", where=str(path))
