"""Named strategies: a Protocol, an entry-point group, and a shipped contract test. The built-ins use the same door."""

from __future__ import annotations

import importlib.util
import sys
from functools import lru_cache
from hashlib import sha256
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from types import CodeType, ModuleType

from drivetrain.core.errors import InvalidInput, NotFound, examples

_stamps: dict[str, tuple[Path, str]] = {}


def names(group: str) -> tuple[str, ...]:
    """The strategies registered under ``drivetrain.<group>``, sorted."""
    return tuple(sorted(point.name for point in _installed(group, tuple(sys.path))))


def find(group: str, name: str) -> object | None:
    """The strategy registered as ``name`` under ``drivetrain.<group>``, if there is one."""
    for point in _installed(group, tuple(sys.path)).select(name=name):
        found: object = point.load()
        return found
    return None


def load(group: str, name: str) -> object:
    """The strategy registered as ``name`` under ``drivetrain.<group>``; raises NotFound and names the others."""
    found = find(group, name)
    if found is not None:
        return found
    raise NotFound(
        "strategy_unknown",
        f"no {group[:-1]} is called {name!r}",
        hint=f"known {group}: {examples(names(group), 20)}; a plugin registers under 'drivetrain.{group}'",
    )


@lru_cache(maxsize=64)
def _installed(group: str, places: tuple[str, ...]) -> EntryPoints:
    """What packages in these places register. Once: every package that is installed is looked into."""
    return entry_points(group=f"drivetrain.{group}")


def load_hook(path: str, home: Path) -> object:
    """The object at ``file.py:name`` (relative to the project) or ``package.module:name``; raises InvalidInput.

    A file is run again once it has changed, or when the one of that name before was of another project.
    """
    module_name, _, attribute = path.partition(":")
    if not attribute:
        raise InvalidInput(
            "hook_invalid", f"{path!r} names no object", hint="write file.py:name or package.module:name"
        )
    if str(home) not in sys.path:
        sys.path.insert(0, str(home))
    try:
        found: object = getattr(_module(module_name, home), attribute)
    except (ImportError, AttributeError, FileNotFoundError) as error:
        raise InvalidInput(
            "hook_not_found",
            f"cannot load {path!r}: {error}",
            where=str(home),
            hint="correct the path, which is relative to the project file, or the name behind the colon",
        ) from error
    return found


def _module(name: str, home: Path) -> ModuleType:
    dotted, file = name.removesuffix(".py").replace("/", "."), home / name
    if not name.endswith(".py"):
        return importlib.import_module(dotted)
    stamp = (file, sha256(file.read_bytes()).hexdigest())
    if _stamps.get(dotted) != stamp:
        sys.modules.pop(dotted, None)
        importlib.invalidate_caches()
        spec = importlib.util.spec_from_file_location(dotted, file, loader=_FromText(dotted, str(file)))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[dotted] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        _stamps[dotted] = stamp
    return sys.modules[dotted]


class _FromText(SourceFileLoader):
    """Python's own loader believes a compiled file for a second after a change that keeps the length."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def is_hook(name: str) -> bool:
    """Whether a strategy name is a dotted path to a person's own code."""
    return ":" in name
