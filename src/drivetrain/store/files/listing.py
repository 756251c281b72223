"""Which files a source means: a path, a folder or a glob. Standard library only, so that planning stays quick."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal, Protocol, TypeVar

from drivetrain.core.errors import NotFound, Transient, examples
from drivetrain.core.sources.written import FileFormat

COMPRESSIONS = (".gz", ".zst", ".bz2", ".xz", ".zip")
_SUFFIXES: dict[str, FileFormat] = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".parquet": "parquet", ".pq": "parquet",
    ".arrow": "arrow", ".arrows": "arrow", ".feather": "arrow", ".ipc": "arrow",
    ".avro": "avro",
    ".xml": "xml",
    ".xlsx": "excel", ".xlsm": "excel", ".xlsb": "excel", ".xls": "excel", ".ods": "excel",
}  # fmt: skip
_DOCUMENTS = frozenset(
    [
        ".pdf",
        ".docx",
        ".eml",
        ".html",
        ".htm",
        ".txt",
        ".png",
        ".jpg",
        ".jpeg",
        ".tif",
        ".tiff",
        ".gif",
        ".bmp",
        ".webp",
    ]
)
Wanted = FileFormat | Literal["documents"]


@dataclass(frozen=True, kw_only=True)
class FoundFile:
    """A file, wherever it lies: its name in cursors and messages, and what tells whether it is what it was.

    ``version`` is the store's own mark of its content (an ETag); empty where there is none.
    """

    name: str
    size: int
    mtime_ns: int
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class SourceFile(FoundFile):
    """A file of this machine; its name is relative to the project where it lies inside it."""

    path: Path


F = TypeVar("F", bound=FoundFile)


class Listing(Protocol[F]):
    """The files that a source means."""

    def files(self) -> Sequence[F]:
        """All of them, sorted by name. Raises NotFound when there is none."""
        ...

    def lend(self, file: F) -> AbstractContextManager[Path]:
        """One of them to read, whole, while the block runs.

        Raises Transient, at the latest at the end of the block, when it is not the file that was listed any more.
        """
        ...


@dataclass(frozen=True)
class NearFiles:
    """A Listing of files of this machine."""

    found: tuple[SourceFile, ...]

    def files(self) -> tuple[SourceFile, ...]:
        """Those that were found."""
        return self.found

    @contextmanager
    def lend(self, file: SourceFile) -> Iterator[Path]:
        """The file where it lies."""
        yield file.path
        now = describe(file.name, file.path)
        if (now.size, now.mtime_ns) != (file.size, file.mtime_ns):
            raise file_changing(file.name)


def find_files(path: str, wanted: Wanted, home: Path) -> tuple[SourceFile, ...]:
    """The files that ``path`` (relative to ``home``) means, sorted by name.

    Of a folder, and the folders below it, these are the files with a suffix of the wanted format (any known one for
    ``auto``); names that start with ``.`` or ``_`` are left out. Raises NotFound when there is none.
    """
    whole = home / path
    if whole.is_dir():
        found = [file for file in whole.rglob("*") if belongs(file.relative_to(whole), wanted)]
    elif whole.exists():
        found = [whole]
    else:
        matches = glob.glob(path, root_dir=home, recursive=True)  # noqa: PTH207  # Path.glob takes no absolute pattern
        found = [home / name for name in matches]
    files = sorted((_describe(file, home) for file in found if file.is_file()), key=lambda file: file.name)
    if not files:
        raise _none(path, whole, wanted)
    return tuple(files)


def describe(name: str, path: Path) -> SourceFile:
    """A file that goes by another name than its path."""
    status = path.stat()
    return SourceFile(name=name, path=path, size=status.st_size, mtime_ns=status.st_mtime_ns)


def file_changing(where: str) -> Transient:
    """The error for a file that changed after it was listed."""
    return Transient("file_changing", "the file changed while it was read", where=where, hint="try again")


def format_by_name(name: str) -> FileFormat | None:
    """The format that a file's suffix, before that of a compression, stands for."""
    return _SUFFIXES.get(PurePath(plain_name(name)).suffix.lower())


def plain_name(name: str) -> str:
    """The file's name without the suffix of a compression."""
    return name[: -len(PurePath(name).suffix)] if PurePath(name).suffix.lower() in COMPRESSIONS else name


def _describe(path: Path, home: Path) -> SourceFile:
    inside = os.path.relpath(path, home)
    return describe(Path(inside).as_posix() if not inside.startswith("..") else path.as_posix(), path)


def belongs(path: PurePath, wanted: Wanted) -> bool:
    """Whether a folder means a file at this path inside it: not hidden, and with a suffix of the wanted format."""
    hidden = any(part.startswith((".", "_")) for part in path.parts)
    if wanted == "documents":
        return not hidden and path.suffix.lower() in _DOCUMENTS
    found = format_by_name(path.name)
    is_archive = path.suffix.lower() == ".zip" and found is None  # the name inside tells
    return not hidden and (is_archive or (found is not None and wanted in ("auto", found)))


def _none(path: str, whole: Path, wanted: Wanted) -> NotFound:
    if whole.is_dir():
        known = sorted(_DOCUMENTS) if wanted == "documents" else _SUFFIXES
        kinds = [suffix for suffix in known if wanted in ("auto", "documents", _SUFFIXES.get(suffix))]
        return NotFound(
            "no_files",
            f"the folder holds no file that ends in {', '.join(kinds)}",
            where=path,
            hint=f"it holds {examples(sorted(file.name for file in whole.iterdir())) or 'nothing'}; "
            "correct `path`, or give a glob such as folder/*.txt and `format`",
        )
    return NotFound("no_files", "there is no such file", where=path, hint="correct `path`; it counts from the project")
