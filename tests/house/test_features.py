"""docs/features.md is where a stranger sees what is true: every test and command that it names exists."""

import ast
import re

import pytest

HEADER = ["capability", "command", "proof", "state"]
STATES = {"works", "partly", "not yet"}


@pytest.fixture(scope="module")
def rows(root):
    lines = (root / "docs" / "features.md").read_text(encoding="utf-8").splitlines()
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [row for row in found if row != HEADER]


def test_every_row_is_whole(rows):
    assert len(rows) > 50
    assert [row for row in rows if len(row) != len(HEADER) or not row[0]] == []
    assert [row for row in rows if row[3].partition(" (")[0] not in STATES] == []
    assert [row[0] for row in rows if row[3] != "not yet" and not (row[1] and row[2])] == []


def test_every_named_test_exists(root, rows):
    known = {}
    missing = []
    for name in (name for row in rows for name in re.findall(r"`([^`]+)`", row[2])):
        path, _, function = name.partition("::")
        if path not in known:
            known[path] = _tests(root / path)
        if function not in known[path]:
            missing.append(name)
    assert not missing, "\n".join(missing)


def test_every_named_target_of_make_exists(root, rows):
    makefile = (root / "Makefile").read_text()
    named = {target for row in rows for target in re.findall(r"`make ([\w-]+)`", row[1])}
    assert {"demo", "test"} <= named
    assert [target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_no_skipped_test_is_a_proof(root, rows):
    """A test that is always skipped proves nothing."""
    paths = {name.partition("::")[0] for row in rows for name in re.findall(r"`([^`]+)`", row[2])}
    for path in paths:
        tree = ast.parse((root / path).read_text(encoding="utf-8"))
        marks = [ast.unparse(mark) for node in ast.walk(tree) for mark in getattr(node, "decorator_list", [])]
        assert [mark for mark in marks if mark.startswith(("pytest.mark.skip(", "pytest.mark.xfail"))] == [], path


def _tests(path):
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
