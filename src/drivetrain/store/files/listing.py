"""Which files a source means: a path, a folder or a glob. Standard library only, so that planning stays quick."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path, PurePath

from drivetrain.core.errors import NotFound, examples
from drivetrain.core.sources.files import FileFormat

COMPRESSIONS = (".gz", ".zst", ".bz2", ".xz")
_SUFFIXES: dict[str, FileFormat] = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip


@dataclass(frozen=True)
class SourceFile:
    """A file and its name in cursors and messages: relative to the project where it lies inside it."""

    name: str
    path: Path
    size: int
    mtime_ns: int


def find_files(path: str, wanted: FileFormat, home: Path) -> tuple[SourceFile, ...]:
    """The files that ``path`` (relative to ``home``) means, sorted by name.

    Of a folder, and the folders below it, these are the files with a suffix of the wanted format (any known one for
    ``auto``); names that start with ``.`` or ``_`` are left out. Raises NotFound when there is none.
    """
    whole = home / path
    if whole.is_dir():
        found = [file for file in whole.rglob("*") if _belongs(file.relative_to(whole), wanted)]
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
    return SourceFile(name, path, status.st_size, status.st_mtime_ns)


def format_by_name(name: str) -> FileFormat | None:
    """The format that a file's suffix, before that of a compression, stands for."""
    return _SUFFIXES.get(PurePath(plain_name(name)).suffix.lower())


def plain_name(name: str) -> str:
    """The file's name without the suffix of a compression."""
    return name[: -len(PurePath(name).suffix)] if PurePath(name).suffix.lower() in COMPRESSIONS else name


def _describe(path: Path, home: Path) -> SourceFile:
    inside = os.path.relpath(path, home)
    return describe(Path(inside).as_posix() if not inside.startswith("..") else path.as_posix(), path)


def _belongs(path: PurePath, wanted: FileFormat) -> bool:
    hidden = any(part.startswith((".", "_")) for part in path.parts)
    found = format_by_name(path.name)
    return not hidden and found is not None and wanted in ("auto", found)


def _none(path: str, whole: Path, wanted: FileFormat) -> NotFound:
    if whole.is_dir():
        kinds = [suffix for suffix, name in _SUFFIXES.items() if wanted in ("auto", name)]
        return NotFound(
            "no_files",
            f"the folder holds no file that ends in {', '.join(kinds)}",
            where=path,
            hint=f"it holds {examples(sorted(file.name for file in whole.iterdir())) or 'nothing'}; "
            "correct `path`, or give a glob such as folder/*.txt and `format`",
        )
    return NotFound("no_files", "there is no such file", where=path, hint="correct `path`; it counts from the project")
