"""The files of a log: the one that is written, and those that were rotated away by renaming or by copying it.

What was read is known as streams, by inode and by content: the first bytes and the last bytes before the place that
was reached. So a file is known again after it was renamed, copied, packed or moved to another disk.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

from drivetrain.core.errors import NotFound, Transient
from drivetrain.store.files.content import Content
from drivetrain.store.files.listing import COMPRESSIONS

ENDS = 1024
"""How many bytes at the beginning, and before the place that was reached, tell a stream."""


@dataclass(frozen=True)
class LogFile:
    """A file of a log as it was listed. ``is_current``: it is the one that is written."""

    name: str
    path: Path
    inode: int
    size: int
    mtime_ns: int
    is_current: bool

    @property
    def is_packed(self) -> bool:
        """Whether it is compressed, so that nobody writes to it any more."""
        return self.path.suffix in COMPRESSIONS

    @contextmanager
    def open(self) -> Iterator[Content]:
        """Its content. Raises Transient when it was rotated since it was listed."""
        try:
            with Content(self.name, self.path) as content:
                if self.path.stat().st_ino != self.inode:
                    raise _rotated(self.name)
                yield content
        except (NotFound, FileNotFoundError):
            raise _rotated(self.name) from None


@dataclass(frozen=True)
class Stream:
    """How far a file was read: ``place`` bytes, ``rows`` records, and what tells it again (SHA-256 of its ends)."""

    name: str
    inode: int
    size: int
    mtime_ns: int
    place: int
    rows: int
    head: str
    tail: str

    def is_still(self, file: LogFile) -> bool:
        """Whether the file is as it was when it was read."""
        return (self.inode, self.size, self.mtime_ns) == (file.inode, file.size, file.mtime_ns)

    def goes_on_in(self, content: Content) -> bool:
        """Whether the content begins with what was read; leaves it there."""
        head = content.peek(min(ENDS, self.place))
        if digest(head) != self.head or not content.pass_over(max(0, self.place - ENDS)):
            return False
        return digest(content.read(min(ENDS, self.place))) == self.tail


def digest(content: bytes) -> str:
    """What bytes are known by."""
    return hashlib.sha256(content).hexdigest()


def stream_after(file: LogFile, place: int, rows: int, ends: tuple[bytes, bytes]) -> Stream:
    """The stream of a file that was read up to a place; ``ends`` are its first bytes and the last ones before it."""
    head, tail = ends[0][: min(ENDS, place)], ends[1][-ENDS:]
    return Stream(file.name, file.inode, file.size, file.mtime_ns, place, rows, digest(head), digest(tail))


def find_log(path: str, home: Path) -> tuple[LogFile, ...]:
    """The files of a log that hold anything, the oldest first. Raises NotFound when there is none at all.

    Rotated ones are called like the file with a number or a date behind (``x.log.1``, ``x.log-20240101.gz``) or before
    its suffix (``x-20240101.log``). One that is being packed (``x.log.1`` beside ``x.log.1.gz``) is not packed yet.
    """
    whole = home / path
    stem, suffix = re.escape(whole.stem), re.escape(whole.suffix)
    packed = f"({'|'.join(re.escape(ending) for ending in COMPRESSIONS)})?"
    rotated = re.compile(rf"({stem}{suffix}[.-]\d[\w.:-]*?|{stem}[.-]\d[\d_T.:-]*{suffix}){packed}")
    near = sorted(whole.parent.iterdir()) if whole.parent.is_dir() else []
    names = {file.name for file in near}
    found = [
        file
        for file in near
        if file == whole or (rotated.fullmatch(file.name) and not (file.suffix in COMPRESSIONS and file.stem in names))
    ]
    files = [listed for file in found if (listed := _listed(file, path, is_current=file == whole))]
    if not files:
        raise NotFound(
            "no_files", "there is no such log", where=path, hint="correct `path`; it counts from the project"
        )
    files.sort(key=lambda file: (file.is_current, file.mtime_ns, file.name))
    return tuple(file for file in files if file.size)


def assign(files: Sequence[LogFile], streams: Sequence[Stream]) -> dict[str, Stream | None]:
    """Which files are to be read, by name, and which stream each goes on with (None: from its start).

    A file that still has the inode of a stream goes on with it; another one does when that stream has no file any
    more: it was copied before the file was emptied, or packed. The copy of a file that was not emptied yet is left.
    """
    plan: dict[str, Stream | None] = {}
    free = list(streams)
    for same_inode in (True, False):
        for file in sorted(files, key=lambda file: not file.is_current):
            if file.name in plan:
                continue
            known = next((one for one in free if same_inode == (one.inode == file.inode) and _goes_on(one, file)), None)
            if known is not None:
                plan[file.name] = known
                free.remove(known)
    for file in sorted(files, key=lambda file: not file.is_current):
        if file.name not in plan and not any(_is_copy(file, other) for other in files if other.name in plan):
            plan[file.name] = None
    return plan


def _goes_on(stream: Stream, file: LogFile) -> bool:
    if stream.is_still(file):
        return True
    if not file.is_packed and file.size < stream.place:
        return False
    with file.open() as content:
        return stream.goes_on_in(content)


def _is_copy(file: LogFile, other: LogFile) -> bool:
    """Whether all that a file holds is the beginning of another one."""
    if file.is_packed or other.is_packed or file.is_current or file.size > other.size:
        return False
    with file.open() as one, other.open() as two:
        if one.peek(ENDS) != two.peek(min(ENDS, file.size)):
            return False
        return one.skip(file.size) and two.skip(file.size) and one.sha256 == two.sha256


def _listed(path: Path, written: str, *, is_current: bool) -> LogFile | None:
    try:
        status = path.stat()
    except FileNotFoundError:  # rotated away just now
        return None
    name = written if is_current else PurePath(written).with_name(path.name).as_posix()
    return LogFile(name, path, status.st_ino, status.st_size, status.st_mtime_ns, is_current)


def _rotated(name: str) -> Transient:
    return Transient("file_changing", "the log was rotated while it was read", where=name, hint="try again")
