"""The Listing of files afar: asked again while the store is down, with credentials looked up anew when refused."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

from drivetrain.connect.afar.address import Address
from drivetrain.connect.afar.store import FarFile, Replaced, Store, Unavailable, missing
from drivetrain.connect.retrying import retrying
from drivetrain.core.errors import Forbidden, Transient, examples
from drivetrain.store.files.listing import Wanted, file_changing

T = TypeVar("T")
Connect = Callable[[], Store]


class FarFiles:
    """A Listing of files afar. ``cache`` is the folder where one fetched file lies while it is read."""

    def __init__(
        self, address: Address, wanted: Wanted, connect: Connect, *, cache: Path, patience_seconds: float
    ) -> None:
        self._address, self._wanted, self._connect = address, wanted, connect
        self._cache, self._patience = cache / "afar", patience_seconds
        self._store: Store | None = None
        self._fetched: IO[bytes] | None = None

    def files(self) -> tuple[FarFile, ...]:
        """All files that the path means, by name; nothing is fetched. Raises NotFound when there is none."""
        address = self._address
        if address.is_one:
            one = self._ask(lambda store: store.look(address.key))
            if one is not None:
                return (one,)
        everything, found = self._ask(self._walk)
        if found:
            return tuple(sorted(found, key=lambda file: file.name))
        error = missing(address.base + address.key.partition("?")[0], "file")
        if everything:
            error.hint += f"; {address.base}{address.folder} holds {examples(everything)}"
        raise error

    @contextmanager
    def lend(self, file: FarFile) -> Iterator[Path]:
        """The file, fetched whole; gone afterwards. What a killed process left behind is removed."""
        try:
            self._fetched = self._fetched or _own_file(self._cache)
            self._fetch(file, self._fetched)
        except OSError as error:
            self.close()
            raise _unwritable(self._cache, error) from None
        yield Path(self._fetched.name)
        self._fetched.truncate(0)

    def _fetch(self, file: FarFile, target: IO[bytes]) -> None:
        target.seek(0)
        try:
            while not self._ask(lambda store: _go_on(store, file, target)):
                self._disconnect()  # some of it came before the connection broke: the rest by another one
        except Replaced:
            raise file_changing(file.name) from None
        target.flush()

    def close(self) -> None:
        """Let go of the connection, and of the file that was fetched last."""
        self._disconnect()
        if self._fetched is not None:
            with suppress(OSError):  # the disk was full before: its last bytes need not be written
                self._fetched.close()
            self._fetched = None

    def _disconnect(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _walk(self, store: Store) -> tuple[list[str], list[FarFile]]:
        """A few names of whatever there is, and the files that are meant."""
        address, names, found = self._address, list[str](), list[FarFile]()
        for file in store.walk(address.folder, address.depth):
            if address.means(file.key, self._wanted):
                found.append(file)
            elif len(names) < 5:
                names.append(file.key)
        return names, found

    def _ask(self, question: Callable[[Store], T]) -> T:
        try:
            return retrying(lambda: self._once(question), self._patience)
        except Forbidden:  # they may have expired: look them up again, once
            return retrying(lambda: self._once(question), self._patience)

    def _once(self, question: Callable[[Store], T]) -> T:
        if self._store is None:
            self._store = self._connect()
        try:
            return question(self._store)
        except (Transient, Forbidden):
            self._disconnect()
            raise


def _go_on(store: Store, file: FarFile, target: IO[bytes]) -> bool:
    """Fetch what is missing; False when there is more to fetch. Raises Transient when this got no further.

    Where nothing tells whether the rest would belong to the beginning, it is all fetched again.
    """
    start = target.tell() if file.is_marked else 0
    target.seek(start)
    target.truncate()
    try:
        for piece in store.fetch(file, start):
            target.write(piece)
    except Transient:
        if not file.is_marked or target.tell() == start:
            raise
        return False
    if file.size and target.tell() > file.size:
        raise Replaced
    if target.tell() == start < file.size:
        raise Unavailable(file.name, f"it sent {start:,} of {file.size:,} bytes")
    return target.tell() >= file.size


def _unwritable(cache: Path, error: OSError) -> Transient:
    return Transient(
        "cache_unwritable",
        f"a fetched file cannot be kept while it is read: {error.strerror}",
        where=str(cache),
        hint="make room there for the largest file of the source, then run the same command again",
    )


def _own_file(cache: Path) -> IO[bytes]:
    """A new file that is locked as long as it is open, and removed when it is closed."""
    cache.mkdir(parents=True, exist_ok=True)
    _sweep(cache)
    while True:
        file = tempfile.NamedTemporaryFile(dir=cache, prefix="fetched-")  # noqa: SIM115  # FarFiles closes it
        fcntl.flock(file, fcntl.LOCK_EX)
        if Path(file.name).exists():
            return file
        with suppress(FileNotFoundError):  # another process swept it before it was locked
            file.close()


def _sweep(cache: Path) -> None:
    """Remove the files of processes that are no more."""
    for path in cache.glob("fetched-*"):
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
