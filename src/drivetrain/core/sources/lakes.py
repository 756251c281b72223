"""Sources that are tables of a lake."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from drivetrain.core.contract import Contract
from drivetrain.core.sources.storage import Storage, check_path, check_storage
from drivetrain.core.spec import Spec


def _lake(path: str) -> str:
    scheme, mark, _ = check_path(path).partition("://")
    if mark and scheme not in ("s3", "gs", "az", "abfss"):
        raise ValueError(f"no table is read over {scheme}://; s3, gs, az, abfss are read")
    return path


class DeltaSource(Spec):
    """A Delta table: a version of it, then what later versions add; a table that was rewritten is read anew."""

    kind: Literal["delta"]
    path: Annotated[str, AfterValidator(_lake)] = Field(
        description="The table's folder: relative to the project file, or afar at `s3://`, `gs://`, `az://`, `abfss://`."
    )
    version: Annotated[int, Field(ge=0)] | None = Field(None, description="Read this one; the newest when not given.")
    storage: Storage = Storage()
    contract: Contract = Contract()

    @property
    def is_afar(self) -> bool:
        """Whether the table lies on another machine."""
        return "://" in self.path

    @model_validator(mode="after")
    def _storage_fits(self) -> Self:
        check_storage(self.path, self.storage)
        return self
