"""What the tests of the house share: the files that git tracks, and the Python among them, parsed once."""

import ast
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Source:
    """A text file of this repository; ``name`` is its path from the top, with /."""

    name: str
    text: str

    @cached_property
    def lines(self):
        return self.text.splitlines()

    @cached_property
    def tree(self):
        return ast.parse(self.text)

    @cached_property
    def room(self):
        """``cli`` of ``src/drivetrain/cli/main.py``; empty for what lies outside the rooms."""
        parts = self.name.split("/")
        return parts[2] if self.name.startswith("src/drivetrain/") and len(parts) > 3 else ""

    def nodes(self, *kinds):
        return [node for node in ast.walk(self.tree) if isinstance(node, kinds)]

    def at(self, node):
        """Where a person finds it."""
        return f"{self.name}:{node.lineno}"


def _tracked():
    git = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return sorted(name for name in listed.split("\0") if name and (ROOT / name).is_file())


def _text(path):
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def files():
    """Every file that git tracks or would track."""
    return tuple(Source(name, _text(ROOT / name)) for name in _tracked())


@pytest.fixture(scope="session")
def product(files):
    """The Python of the product."""
    return _python(files, "src/")


@pytest.fixture(scope="session")
def tests(files):
    """The Python of the tests."""
    return _python(files, "tests/")


def _python(files, folder):
    found = tuple(file for file in files if file.name.startswith(folder) and file.name.endswith(".py"))
    assert found, f"no Python under {folder}: the rules would hold of nothing"
    return found
