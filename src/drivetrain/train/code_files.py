"""The files of a model that is a person's own code: what the project file names, as bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.core.project import ModelSpec

_MOST_BYTES = 256 * 1024 * 1024


def read_code(spec: ModelSpec, home: Path) -> dict[str, bytes]:
    """The file of ``code`` and what the paths and globs of ``files`` match, by path in the project; none without code.

    A folder stands for all files below it, but for hidden ones and Python's caches. Raises NotFound when there is no
    such file, InvalidInput when one lies outside the project, a pattern matches nothing, or all are too large.
    """
    if spec.code is None:
        return {}
    paths = {path for pattern in (spec.code.partition(":")[0], *spec.files) for path in _matched(pattern, home)}
    found = {path.relative_to(home).as_posix(): path for path in paths}
    if sum(path.stat().st_size for path in paths) > _MOST_BYTES:
        raise InvalidInput(
            "code_too_large",
            f"the code and its files are larger than {_MOST_BYTES // 1024 // 1024} MiB",
            where="model.files",
            hint="name only what the code reads",
        )
    return {name: found[name].read_bytes() for name in sorted(found)}


def _matched(pattern: str, home: Path) -> Iterator[Path]:
    asked = PurePosixPath(pattern)
    if asked.is_absolute() or ".." in asked.parts or not asked.parts:
        raise _outside(pattern)
    matched = [file for path in home.glob(pattern) for file in ([path] if path.is_file() else path.rglob("*"))]
    files = [file for file in matched if file.is_file() and not _left_out(file.relative_to(home))]
    if not files:
        raise NotFound(
            "code_files_missing",
            f"there is no file {pattern!r}",
            where=str(home),
            hint="correct model.code and model.files in the project file",
        )
    for file in files:
        if not file.resolve().is_relative_to(home.resolve()):
            raise _outside(str(file.relative_to(home)))
        yield file


def _left_out(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def _outside(path: str) -> InvalidInput:
    return InvalidInput(
        "path_outside_project",
        f"{path!r} lies outside the project",
        where="model.files",
        hint="copy it into the project",
    )
