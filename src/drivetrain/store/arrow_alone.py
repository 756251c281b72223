"""Arrow without pandas: a process that imports this before any other that imports Arrow stays clear of it.

Arrow looks for pandas once, when it makes its first array, and loads it where it is installed: a third of a second and
60 MB for nothing. It is for processes in which nobody's own code hands over frames: those would be taken for lists.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder

import pyarrow as pa


class _NoPandas(MetaPathFinder):
    """Says that pandas is not there."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _look_in_vain() -> None:
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)


_look_in_vain()
