"""How files are written: the options that every source of files has, wherever its files lie."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from drivetrain.core.spec import Spec

FileFormat = Literal["auto", "csv", "parquet", "jsonl", "arrow", "avro", "xml"]


def _known(encoding: str) -> str:
    if encoding == "auto":
        return encoding
    try:
        b"\0\0\0\0".decode(encoding)
    except LookupError:
        raise ValueError(
            f"there is no encoding {encoding!r}; utf-8, cp1252, latin-1, utf-16 and cp037 are some"
        ) from None
    return encoding


class Written(Spec):
    """How files are written. An option that a file's format does not have is of no effect."""

    format: FileFormat = Field("auto", description="`auto`: by the first bytes, then by the name.")
    encoding: Annotated[str, AfterValidator(_known)] = Field(
        "auto", description="Of text: UTF-8, and UTF-16 with its mark, are found; another one has to be named."
    )
    delimiter: str | None = Field(None, description="Of a CSV file; found by itself when not given.")
    null_values: tuple[str, ...] = Field(("", "NA", "NULL", "null"), description="Texts that mean a missing value.")
    record: str | None = Field(None, description="Of XML: the name of the element that is a row.")
    lists: tuple[str, ...] = Field((), description="Of XML: dotted paths that may stand several times in a row.")
