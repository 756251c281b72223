from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from drivetrain.core.digest import digest_bytes
from drivetrain.core.errors import InvalidInput
from drivetrain.core.lineage import Code
from drivetrain.release.bundle import project_state
from drivetrain.release.code import git_state

SQL = b"select 1 as a\n\nfrom loans\n"


def _git(where: Path, *arguments: str) -> str:
    who = ["-c", "user.name=mia", "-c", "user.email=mia@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *arguments], cwd=where, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A project in a repository, all committed."""
    path = tmp_path / "project"
    (path / "features").mkdir(parents=True)
    (path / "drivetrain.yaml").write_bytes(b"project: risk\n")
    (path / "features" / "a.sql").write_bytes(SQL)
    (path / "data.csv").write_bytes(b"a,b\n1,2\n")
    (path / ".gitignore").write_bytes(b"ignored.py\n")
    _git(path, "init", "-q")
    _git(path, "add", "-A")
    _git(path, "commit", "-q", "-m", "first")
    return path


def test_a_clean_project_is_its_commit(home: Path):
    assert git_state(home) == (Code(_git(home, "rev-parse", "HEAD"), None), b"")


def test_a_change_is_a_diff_that_git_can_apply(home: Path, tmp_path: Path):
    (home / "features" / "a.sql").write_bytes(b"select 2 as a\n")
    (home / "models.py").write_bytes("def build():\n    return 'ü'\n".encode())
    (home / "drivetrain.yaml").unlink()
    code, diff = git_state(home)
    assert code == Code(_git(home, "rev-parse", "HEAD"), digest_bytes(diff))
    _git(tmp_path, "clone", "-q", str(home), "copy")
    (tmp_path / "code.diff").write_bytes(diff)
    _git(tmp_path / "copy", "apply", str(tmp_path / "code.diff"))
    assert (tmp_path / "copy" / "features" / "a.sql").read_bytes() == b"select 2 as a\n"
    assert (tmp_path / "copy" / "models.py").read_bytes() == (home / "models.py").read_bytes()
    assert not (tmp_path / "copy" / "drivetrain.yaml").exists()


def test_what_is_staged_counts_as_not_committed(home: Path):
    (home / "features" / "a.sql").write_bytes(b"select 2 as a\n")
    before = git_state(home)
    _git(home, "add", "-A")
    assert git_state(home) == before


def test_what_is_no_code_stays_out(home: Path):
    for name in (".drivetrain/catalog.yaml", "actors.yaml", "ignored.py", "more.csv", ".env", "sub/actors.yaml"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_bytes(b"secret")
    assert git_state(home)[1] == b""


def test_a_binary_change_shows_by_its_digest(home: Path):
    (home / "data.csv").write_bytes(b"\0\1")
    first = git_state(home)
    (home / "data.csv").write_bytes(b"\0\2")
    assert first[0].diff_sha256 != git_state(home)[0].diff_sha256


def test_the_diff_does_not_depend_on_how_git_is_set(home: Path):
    (home / "features" / "a.sql").write_bytes(SQL + b"\n" + SQL)
    (home / "new ü.py").write_bytes(b"x = 1\n")
    plain = git_state(home)
    settings = {
        "diff.noprefix": "true", "diff.mnemonicPrefix": "true", "color.ui": "always", "diff.context": "0",
        "diff.external": "false", "core.quotePath": "false", "diff.algorithm": "patience", "core.pager": "false",
        "diff.relative": "true", "diff.suppressBlankEmpty": "true", "diff.orderFile": "/dev/null",
        "diff.interHunkContext": "9",
    }  # fmt: skip
    for key, value in settings.items():
        _git(home, "config", key, value)
    assert git_state(home) == plain


def test_the_index_is_left_alone(home: Path):
    (home / "features" / "a.sql").touch()
    before = (home / ".git" / "index").read_bytes()
    git_state(home)
    assert (home / ".git" / "index").read_bytes() == before


def test_only_the_project_counts_in_a_larger_repository(home: Path):
    inner = home / "inner"
    inner.mkdir()
    (inner / "drivetrain.yaml").write_bytes(b"project: inner\n")
    _git(home, "add", "-A")
    _git(home, "commit", "-q", "-m", "second")
    (home / "features" / "a.sql").write_bytes(b"select 2 as a\n")
    (home / "outside.py").write_bytes(b"")
    assert git_state(inner) == (Code(_git(home, "rev-parse", "HEAD"), None), b"")


def test_a_repository_that_ignores_the_project_says_nothing_about_it(home: Path):
    (home / ".gitignore").write_bytes(b"/demo/\n")
    (home / "demo").mkdir()
    (home / "demo" / "drivetrain.yaml").write_bytes(b"project: demo\n")
    assert git_state(home / "demo") == (Code(None, None), b"")


def test_without_a_repository_or_a_commit_there_is_none(tmp_path: Path):
    assert git_state(tmp_path) == (Code(None, None), b"")
    _git(tmp_path, "init", "-q")
    assert git_state(tmp_path) == (Code(None, None), b"")


def test_without_git_there_is_no_commit(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(home) == (Code(None, None), b"")


def test_a_broken_repository_is_named(home: Path):
    (home / ".git" / "index").write_bytes(b"garbage")
    with pytest.raises(InvalidInput, match="git diff") as error:
        git_state(home)
    assert error.value.where == str(home)


def test_the_diff_lies_among_the_files_of_the_project(home: Path):
    files = {"drivetrain.yaml": b"project: risk\n"}
    assert project_state("risk", home, files).files == files
    (home / "features" / "a.sql").write_bytes(b"select 2 as a\n")
    state = project_state("risk", home, files)
    assert digest_bytes(state.files["code.diff"]) == state.code.diff_sha256


def test_thousands_of_new_files_are_not_meant(home: Path):
    (home / "venv").mkdir()
    for number in range(501):
        (home / "venv" / f"{number:03}.py").touch()
    with pytest.raises(
        InvalidInput, match=r"501 files of code are neither committed nor ignored: venv/000\.py"
    ) as error:
        git_state(home)
    assert ".gitignore" in error.value.hint
    (home / ".gitignore").write_bytes(b"venv/\nignored.py\n")
    _git(home, "commit", "-q", "-a", "-m", "second")
    assert git_state(home)[1] == b""
