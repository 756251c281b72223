"""The kind ``files``: whole files in a folder of this machine or afar.

A file is named by the number and the key of its first row. Rows that are sent again begin with the same row, so their
file takes the place of the one that may be there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from drivetrain.connect.afar.address import Address, parse_address
from drivetrain.connect.afar.buckets import Bucket
from drivetrain.connect.afar.sftp import SftpServer
from drivetrain.connect.afar.store import Unavailable, forbidden, missing
from drivetrain.connect.place import Place
from drivetrain.core.errors import DrivetrainError
from drivetrain.core.outlets.files import FilesOutlet
from drivetrain.deliver.file_formats import content_of
from drivetrain.deliver.outlet import Outlet, Parcel, Receipt

_SUFFIX = {"csv": "csv", "jsonl": "jsonl", "parquet": "parquet", "fixed": "txt"}


class Folder(Protocol):
    """Where files are put. Raises what an Outlet raises."""

    def look(self) -> None:
        """Nothing, when the folder can be asked."""
        ...

    def put(self, name: str, content: bytes) -> None:
        """The file, whole, in place of one of that name."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class FilesDrop:
    """An Outlet: a parcel is a file."""

    def __init__(self, spec: FilesOutlet, place: Place) -> None:
        self._spec = spec
        self._folder: Folder = FarFolder(spec, place) if "://" in spec.path else NearFolder(place.home / spec.path)

    def check(self) -> str:
        """See Outlet."""
        self._folder.look()
        return f"folder {self._spec.path}, files {self._spec.name}-*.{_SUFFIX[self._spec.format]}"

    def send(self, parcel: Parcel) -> tuple[Receipt, ...]:
        """See Outlet."""
        content, reasons = content_of(self._spec, parcel.rows)
        name = self._name(parcel, reasons)
        if name:
            self._folder.put(name, content)
        return tuple(Receipt(taken=not reason, said=reason or name) for reason in reasons)

    def close(self) -> None:
        """See Outlet."""
        self._folder.close()

    def _name(self, parcel: Parcel, reasons: Sequence[str]) -> str:
        """By the first row that is in the file: a dead letter that leaves later must not replace it."""
        first = next((place for place, reason in enumerate(reasons) if not reason), None)
        if first is None:
            return ""
        number, key = parcel.numbers[first], re.sub(r"[^\w.-]", "_", parcel.keys[first])
        return f"{self._spec.name}-{number:012}-{key}.{_SUFFIX[self._spec.format]}"


class NearFolder:
    """A folder of this machine. It must be there: one that is not mounted is not made in place of it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def look(self) -> None:
        """See Folder."""
        if not self._path.is_dir():
            raise missing(str(self._path), "folder")

    def put(self, name: str, content: bytes) -> None:
        """Written beside its place, synced, renamed; what a kill left there is written over by the next attempt."""
        self.look()
        new = self._path / f".{name}.part"
        try:
            with new.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path / name)
        except PermissionError as error:
            raise forbidden(str(self._path), error.strerror or "permission denied") from None
        except OSError as error:
            with suppress(OSError):
                new.unlink()
            raise Unavailable(str(self._path), error.strerror or str(error)) from None

    def close(self) -> None:
        """There is no connection."""


class FarFolder:
    """A folder of an object store or an SFTP server; connected when it is first asked, and anew after an error."""

    def __init__(self, spec: FilesOutlet, place: Place) -> None:
        self._spec, self._place = spec, place
        self._address: Address = parse_address(spec.path)
        self._store: Bucket | SftpServer | None = None

    def look(self) -> None:
        """See Folder."""
        try:
            next(iter(self._open().walk(self._address.folder, 1)), None)
        except DrivetrainError:
            self.close()
            raise

    def put(self, name: str, content: bytes) -> None:
        """See Folder."""
        folder = self._address.folder
        try:
            self._open().put(f"{folder}/{name}" if folder else name, content)
        except DrivetrainError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _open(self) -> Bucket | SftpServer:
        if self._store is None:
            storage, secrets = self._spec.storage, self._place.secrets
            if self._address.scheme == "sftp":
                self._store = SftpServer(self._address, storage, secrets, self._place.home)
            else:
                self._store = Bucket(self._address, storage, secrets)
        return self._store


def open_files(spec: FilesOutlet, place: Place) -> Outlet:
    """An outlet that puts files into the folder. Connects to nothing."""
    return FilesDrop(spec, place)
