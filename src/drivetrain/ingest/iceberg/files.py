"""The files of an Iceberg table, wherever they lie: each is named by a whole address, not by a path below the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn

import pyarrow as pa
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem, PyFileSystem
from pyiceberg.exceptions import ResolveError, ValidationError
from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile

from drivetrain.connect.afar.address import Address, parse_address
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Refused, Transient
from drivetrain.ingest.lake_words import may_pass, said_by, says_no

Options = Callable[[Address], Mapping[str, str]]
_SCHEMES = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "abfs": "abfss", "wasb": "abfss", "wasbs": "abfss"}
_READ = ("s3", "gs", "az", "abfss")


class IcebergFiles(FileIO):
    """Reads by address. ``options`` gives those of a bucket, anew whenever the store says no: credentials expire."""

    def __init__(self, options: Options, where: str) -> None:
        super().__init__()
        self._options, self.where = options, where
        self._stores: dict[str, FileSystem] = {}

    def new_input(self, location: str) -> IcebergFile:
        """The file at an address; it need not be there."""
        return IcebergFile(location, self)

    def new_output(self, location: str) -> OutputFile:
        """Never: a source is only read."""
        raise PermissionError(location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Never: a source is only read."""
        raise PermissionError(location)

    def open(self, location: str) -> pa.NativeFile:
        """The file, to be read and closed. Raises OSError."""
        key, address = self._place(location)
        try:
            return self._store(address).open_input_file(key)
        except OSError as error:
            if address is None or not says_no(said_by(error)):
                raise
            self._stores.pop(address.base, None)
            return self._store(address).open_input_file(key)

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder; none when it is not there. Raises OSError."""
        key, address = self._place(folder)
        found = self._store(address).get_file_info(FileSelector(key, allow_not_found=True))
        return [info.base_name for info in found if info.type is FileType.File]

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Whatever goes wrong inside as an error a person can act on."""
        try:
            yield
        except (OSError, pa.ArrowException, ValueError, ResolveError, ValidationError, NotImplementedError) as error:
            self._explain(error)

    def _place(self, location: str) -> tuple[str, Address | None]:
        """The key in a bucket and the bucket, or the path on this machine."""
        scheme, mark, rest = location.partition(":")
        if not mark or "/" in scheme or scheme == "file":
            return (re.sub(r"^/+", "/", rest) if scheme == "file" else location), None
        scheme = _SCHEMES.get(scheme, scheme)
        if scheme not in _READ:
            raise Refused(
                "iceberg_unreadable",
                f"a file lies at {location[:200]}, and nothing reads {scheme}://",
                where=self.where,
                hint=f"{', '.join(_READ)} and files of this machine are read",
            )
        address = parse_address(f"{scheme}:{rest}")
        return address.key, address

    def _store(self, address: Address | None) -> FileSystem:
        if address is None:
            return LocalFileSystem()
        if address.base not in self._stores:
            self._stores[address.base] = PyFileSystem(DeltaStorageHandler(address.base, dict(self._options(address))))
        return self._stores[address.base]

    def _explain(self, error: Exception) -> NoReturn:
        said, where = said_by(error), self.where
        if isinstance(error, FileNotFoundError):
            hint = "its snapshot expired, or files were cleaned up: read a newer one, or keep them longer there"
            raise NotFound("iceberg_expired", f"a file of the table is gone: {said}", where=where, hint=hint) from None
        if isinstance(error, PermissionError) or (isinstance(error, OSError) and says_no(said)):
            hint = "correct the credentials that `storage` or `catalog` names, or what they may read"
            raise Forbidden("iceberg_forbidden", f"the store says no: {said}", where=where, hint=hint) from None
        if may_pass(error):
            hint = "see whether the store answers and `storage` is right, then run the same command again"
            raise Transient("iceberg_unreachable", f"no answer: {said}", where=where, hint=hint) from None
        hint = "have the file written again; Parquet is read, of tables of format 1 to 3"
        raise InvalidInput("iceberg_damaged", f"a file cannot be read: {said}", where=where, hint=hint) from None


class IcebergFile(InputFile):
    """A file at an address."""

    def __init__(self, location: str, files: IcebergFiles) -> None:
        super().__init__(location)
        self._files = files

    def __len__(self) -> int:
        """Bytes. Raises OSError."""
        with self._files.open(self.location) as file:
            return int(file.size())

    def exists(self) -> bool:
        """Whether it is there. Raises OSError when nobody knows."""
        try:
            self._files.open(self.location).close()
        except FileNotFoundError:
            return False
        return True

    def open(self, seekable: bool = True) -> InputStream:
        """Its content. Raises OSError."""
        return self._files.open(self.location)  # type: ignore[no-any-return]  # pyarrow has no types
