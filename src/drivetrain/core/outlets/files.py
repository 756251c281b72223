"""Outlets that are files in a folder."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from drivetrain.core.outlets.outgoing import Outgoing
from drivetrain.core.sources.storage import Storage, check_path, check_storage
from drivetrain.core.spec import Name

DropFormat = Literal["csv", "jsonl", "parquet", "fixed"]


def _folder(path: str) -> str:
    if path.startswith(("http://", "https://")):
        raise ValueError("nothing is put on a web server as a file; `kind: webhook` sends rows over HTTP")
    if set(path) & set("*?["):
        raise ValueError("an outlet puts its files into one folder, not into a glob")
    return check_path(path)


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise ValueError(f"there is no encoding {name!r}; utf-8, cp1252, latin-1 and cp037 are some") from None
    return name


class FilesOutlet(Outgoing):
    """Files in a folder, here or afar. Each is whole when it appears; one that is sent again is replaced."""

    kind: Literal["files"]
    path: Annotated[str, AfterValidator(_folder)] = Field(
        description="A folder that is there: relative to the project file, or at `s3://`, `gs://`, `az://`, `abfss://` "
        "or `sftp://`."
    )
    storage: Storage = Storage()
    format: DropFormat = "csv"
    name: Name = Field("predictions", description="What the names of the files begin with.")
    rows: Annotated[int, Field(ge=1, le=1_000_000)] = Field(100_000, description="In one file, at most.")
    encoding: Annotated[str, AfterValidator(_encoding)] = Field("utf-8", description="Of `csv` and `fixed`.")
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = Field(",", description="Of `csv`.")
    header: bool = Field(True, description="Whether a file of `csv` begins with the names of its columns.")
    line_end: Literal["lf", "crlf"] = Field("lf", description="Of `csv` and `fixed`.")
    widths: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict, description="Of `fixed`: column and how many characters it takes, in their order."
    )

    @property
    def parcel_rows(self) -> int:
        """A file is a parcel."""
        return self.rows

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_storage(self.path, self.storage)
        if (self.format == "fixed") != bool(self.widths):
            raise ValueError("`format: fixed` needs `widths`, and no other format takes them")
        if unknown := [name for name in self.widths if self.columns and name not in self.columns]:
            raise ValueError(f"`widths` names {unknown[0]!r}, which is not one of `columns`")
        return self
