"""Files and folders that are whole or absent: written beside their place, synced, then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from drivetrain.core.digest import FileDigest, digest_bytes
from drivetrain.core.errors import Tampered


def write_file(path: Path, content: bytes, *, mode: int = 0o644, beside: Path | None = None) -> None:
    """Put ``content`` at ``path`` in one step; a kill leaves the old file or the new one, never a part.

    The unfinished file lies in the same folder, or in ``beside`` (on the same disk) when that folder must stay clean.
    """
    new = _unfinished(path, content, mode, beside)
    try:
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def create_file(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Like ``write_file``, but never in place of another file: raises FileExistsError, also when two try at once."""
    new = _unfinished(path, content, mode, None)
    try:
        os.link(new, path)
    finally:
        new.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _unfinished(path: Path, content: bytes, mode: int, beside: Path | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=beside or path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def write_folder(path: Path, files: Mapping[str, bytes]) -> tuple[FileDigest, ...]:
    """Put a folder of files at ``path`` in one step, in place of what was there. Gives the digests, sorted by path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=path.parent, prefix=".new-"))
    try:
        for name, content in files.items():
            write_file(new / name, content)
        new.chmod(0o755)
        if path.exists():
            old = Path(tempfile.mkdtemp(dir=path.parent, prefix=".old-"))
            path.rename(old / "was")
            new.rename(path)
            shutil.rmtree(old)
        else:
            new.rename(path)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    _sync_folder(path.parent)
    return digests(files)


def digests(files: Mapping[str, bytes]) -> tuple[FileDigest, ...]:
    """The digest of every file of a folder that is still in memory, sorted by path."""
    return tuple(FileDigest(name, digest_bytes(files[name]), len(files[name])) for name in sorted(files))


def read_folder(path: Path) -> dict[str, bytes]:
    """Every file below ``path`` by its path inside; links are not followed. Raises Tampered when one is a link."""
    found: dict[str, bytes] = {}
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_symlink():
            raise Tampered("file_is_a_link", f"{name} is a link, not a file", where=str(path))
        if file.is_file():
            found[name] = file.read_bytes()
    return found


def check_files(files: Mapping[str, bytes], expected: Iterable[FileDigest], where: str) -> None:
    """Raise Tampered, with the file's name, when a file is missing, changed, or not expected at all."""
    promised = {file.path: file for file in expected}
    for name, promise in promised.items():
        if name not in files:
            raise Tampered("file_missing", f"{name} is missing", where=where, hint="fetch the folder again")
        if digest_bytes(files[name]) != promise.sha256:
            raise Tampered("file_changed", f"{name} is not what was signed", where=where, hint="fetch the folder again")
    for name in files:
        if name not in promised:
            raise Tampered("file_added", f"{name} does not belong here", where=where, hint="fetch the folder again")


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
