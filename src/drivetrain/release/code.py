"""The state of the project's code: its git commit, and what was not committed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from drivetrain.core.digest import digest_bytes
from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.lineage import Code

_CODE = ("*.py", "*.sql", "*.yaml", "*.yml", "*.toml", "*.ipynb")
# The trust root and our own state are no code: the same project makes the same release whoever signs it.
_NOT_CODE = (":(exclude,glob)**/.drivetrain/**", ":(exclude,glob)**/actors.yaml")
_SET = ("-c", "core.quotePath=true", "-c", "diff.suppressBlankEmpty=false", "-c", "diff.submodule=short")
# Whatever a person's git is set to, the same change is the same text.
_DIFF = (
    "diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--full-index", "--diff-algorithm=myers",
    "--no-indent-heuristic", "--unified=3", "--inter-hunk-context=0", "--src-prefix=a/", "--dst-prefix=b/",
)  # fmt: skip
_SECONDS = 60
_MOST_NEW_FILES = 500


def git_state(home: Path) -> tuple[Code, bytes]:
    """The commit of the project in ``home`` and the diff of what is not committed, which is empty when all is.

    The diff holds changed and deleted files below ``home`` that git knows, then new files of code (not those that git
    ignores). Without git, a repository or a commit there is neither commit nor diff.
    """
    commit = _commit(home)
    if commit is None:
        return Code(None, None), b""
    diff = _changed(home) + b"".join(_added(home, name) for name in _new_files(home))
    return Code(commit, digest_bytes(diff) if diff else None), diff


def _changed(home: Path) -> bytes:
    """The diff against the commit. ``git diff`` may write what it learned of files into the index: it gets a copy."""
    index = home / _git(home, "rev-parse", "--git-path", "index").decode().strip()
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "index"
        if index.exists():
            shutil.copyfile(index, copy)
        return _git(home, *_DIFF, "HEAD", "--", ".", *_NOT_CODE, index=copy)


def _commit(home: Path) -> str | None:
    try:
        found = _run(home, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except FileNotFoundError:
        return None
    if found.returncode != 0 or _ignored(home):
        return None
    return found.stdout.decode().strip()


def _ignored(home: Path) -> bool:
    """Whether the repository around the project ignores it: then its commits say nothing about the project."""
    return _run(home, "check-ignore", "--quiet", str(home.resolve())).returncode == 0


def _new_files(home: Path) -> list[str]:
    listed = _git(home, "ls-files", "-z", "--others", "--exclude-standard", "--", *_CODE, *_NOT_CODE)
    names = sorted(name.decode(errors="surrogateescape") for name in listed.split(b"\0") if name)
    if len(names) > _MOST_NEW_FILES:
        raise InvalidInput(
            "code_not_committed",
            f"{len(names)} files of code are neither committed nor ignored: {examples(names)}",
            where=str(home),
            hint="commit what belongs to the project and name the rest in .gitignore",
        )
    return names


def _added(home: Path, name: str) -> bytes:
    return _git(home, *_DIFF, "--no-index", "--", "/dev/null", name, good=(0, 1))


def _git(home: Path, *arguments: str, good: tuple[int, ...] = (0,), index: Path | None = None) -> bytes:
    done = _run(home, *arguments, index=index)
    if done.returncode not in good:
        raise InvalidInput(
            "git_failed",
            f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()[:300]}",
            where=str(home),
            hint="run `git status` there and repair the repository",
        )
    return done.stdout


def _run(home: Path, *arguments: str, index: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "--no-optional-locks", "--no-pager", *_SET, *arguments]
    if index is not None:
        command = ["env", f"GIT_INDEX_FILE={index}", *command]
    try:
        return subprocess.run(command, cwd=home, capture_output=True, check=False, timeout=_SECONDS)  # noqa: S603 - no shell, our own words
    except subprocess.TimeoutExpired:
        raise InvalidInput("git_failed", f"git {arguments[0]} took over {_SECONDS} s", where=str(home)) from None
