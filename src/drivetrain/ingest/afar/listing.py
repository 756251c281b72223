"""The Listing of files afar: asked again while the store is down, with credentials looked up anew when refused."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from drivetrain.core.errors import Forbidden, Transient, examples
from drivetrain.core.sources.written import FileFormat
from drivetrain.ingest.afar.address import Address
from drivetrain.ingest.afar.store import FarFile, Replaced, Store, Unavailable, missing
from drivetrain.ingest.retrying import retrying
from drivetrain.store.files.listing import file_changing

T = TypeVar("T")
Connect = Callable[[], Store]


class FarFiles:
    """A Listing of files afar. ``cache`` is the folder where one fetched file lies while it is read."""

    def __init__(
        self, address: Address, wanted: FileFormat, connect: Connect, *, cache: Path, patience_seconds: float
    ) -> None:
        self._address, self._wanted, self._connect = address, wanted, connect
        self._cache, self._patience = cache / "afar", patience_seconds
        self._store: Store | None = None

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
        with ExitStack() as stack:
            try:
                _sweep(self._cache)
                path = stack.enter_context(_own_folder(self._cache)) / "content"
                self._fetch(file, path)
            except OSError as error:
                raise _unwritable(self._cache, error) from None
            yield path

    def _fetch(self, file: FarFile, path: Path) -> None:
        with path.open("wb") as target:
            try:
                while not self._ask(lambda store: _go_on(store, file, target)):
                    self.close()  # some of it came before the connection broke: the rest by another one
            except Replaced:
                raise file_changing(file.name) from None

    def close(self) -> None:
        """Let go of the connection; the next question makes another."""
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
            self.close()
            raise


def _go_on(store: Store, file: FarFile, target: BinaryIO) -> bool:
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


@contextmanager
def _own_folder(cache: Path) -> Iterator[Path]:
    """A folder that is locked as long as this process works in it, and removed afterwards."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetched-") as name:
        folder = Path(name)
        with (folder / "new").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (folder / "new").rename(folder / "lock")  # nobody meets it before it is held
            yield folder


def _sweep(cache: Path) -> None:
    """Remove the folders of processes that are no more."""
    for path in cache.glob("fetched-*/lock"):
        with suppress(OSError), path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent)
