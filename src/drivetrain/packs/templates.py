"""Making a project folder from a pack."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from drivetrain.core.errors import InvalidInput, NotFound, examples
from drivetrain.store.folders import write_file

_RENAMED = {"gitignore": ".gitignore"}
_NAME = "{{ name }}"


def packs() -> tuple[str, ...]:
    """The names of the packs, sorted."""
    return tuple(sorted(item.name for item in files("drivetrain.packs").iterdir() if _is_pack(item)))


def write_pack(pack: str, name: str, target: Path) -> tuple[Path, ...]:
    """Write the files of a pack for a project of that name; gives their paths.

    Raises NotFound for an unknown pack and InvalidInput when a file is there already: nothing is overwritten.
    """
    if pack not in packs():
        raise NotFound("pack_unknown", f"there is no pack {pack!r}", hint=f"packs: {examples(packs())}")
    wanted = {
        target / _RENAMED.get(path, path): text for path, text in _texts(files("drivetrain.packs") / pack).items()
    }
    there = [path for path in wanted if path.exists()]
    if there:
        raise InvalidInput(
            "project_exists",
            f"already there: {examples(path.name for path in there)}",
            where=str(target),
            hint="choose an empty folder, or delete these files first",
        )
    for path, text in wanted.items():
        write_file(path, text.replace(_NAME, name).encode())
    return tuple(wanted)


def _texts(folder: Traversable, prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if item.is_dir():
            found |= _texts(item, f"{prefix}{item.name}/")
        else:
            found[prefix + item.name] = item.read_text(encoding="utf-8")
    return found


def _is_pack(item: Traversable) -> bool:
    return item.is_dir() and (item / "drivetrain.yaml").is_file()
