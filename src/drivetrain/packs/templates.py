"""The packs there are, what they say of themselves, and making a project folder from one.

A pack is a folder with ``pack.yaml`` and ``drivetrain.yaml``. Ours lie beside this file; others are packages that an
entry point of the group ``drivetrain.packs`` names.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import ModuleType

from drivetrain.core import plugins
from drivetrain.core.errors import InvalidInput, NotFound, examples
from drivetrain.core.pack import PackSpec
from drivetrain.core.parse import parse_pack
from drivetrain.store.folders import write_file

_RENAMED = {"gitignore": ".gitignore"}
_NAME = "{{ name }}"
_ABOUT, _PROJECT = "pack.yaml", "drivetrain.yaml"
_OURS = {"__init__.py", "__pycache__"}


def packs() -> tuple[str, ...]:
    """The names of the packs, sorted."""
    ours = (item.name for item in files("drivetrain.packs").iterdir() if _is_pack(item))
    return tuple(sorted({*ours, *plugins.names("packs")}))


def read_pack(pack: str) -> PackSpec:
    """What a pack says of itself. Raises NotFound for an unknown pack, InvalidInput for one that is not whole."""
    about = _folder(pack) / _ABOUT
    return parse_pack(about.read_text(encoding="utf-8"), f"pack {pack}: {_ABOUT}")


def write_pack(pack: str, name: str, target: Path) -> tuple[Path, ...]:
    """Write the files of a pack for a project of that name; gives their paths.

    Raises NotFound for an unknown pack and InvalidInput when a file is there already: nothing is overwritten.
    """
    texts = _texts(_folder(pack))
    wanted = {target / _RENAMED.get(path, path): text for path, text in texts.items() if path != _ABOUT}
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
        if item.name in _OURS:  # what makes a folder a package
            continue
        if item.is_dir():
            found |= _texts(item, f"{prefix}{item.name}/")
        else:
            found[prefix + item.name] = item.read_text(encoding="utf-8")
    return found


def _folder(pack: str) -> Traversable:
    """Where the files of a pack are."""
    if pack not in packs():
        raise NotFound("pack_unknown", f"there is no pack {pack!r}", hint=f"packs: {examples(packs())}")
    package = plugins.find("packs", pack)
    folder = files(package) if isinstance(package, ModuleType) else files("drivetrain.packs") / pack
    if not _is_pack(folder):
        raise InvalidInput(
            "pack_incomplete",
            f"the package of the pack lacks {_ABOUT} or {_PROJECT}",
            where=f"pack {pack}",
            hint="the entry point names the package whose folder holds both; docs/packs/README.md",
        )
    return folder


def _is_pack(item: Traversable) -> bool:
    return item.is_dir() and (item / _ABOUT).is_file() and (item / _PROJECT).is_file()
