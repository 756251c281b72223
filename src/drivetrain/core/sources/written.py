"""How files are written: the options that every source of files has, wherever its files lie."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from drivetrain.core.spec import Spec

FileFormat = Literal["auto", "csv", "parquet", "jsonl", "arrow", "avro", "xml", "excel", "fixed"]
FieldType = Literal["text", "number", "zoned", "packed", "binary", "date"]
Place = Annotated[int, Field(ge=1)]


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


class FixedField(Spec):
    """One field of a record. A number of any type may have ``scale`` digits after its decimal point."""

    name: str
    start: Place | None = Field(None, description="Its first place in the record, from 1; after the field before it.")
    width: Place = Field(description="How many places it takes: characters, or bytes of `packed` and `binary`.")
    type: FieldType = Field(
        "text",
        description="`number` is written out, `zoned` (DISPLAY) has its sign in the last digit, `packed` is COMP-3, "
        "`binary` is COMP (big-endian, with sign).",
    )
    scale: Annotated[int, Field(ge=0, le=30)] = Field(
        0, description="Digits after a decimal point that is not written."
    )
    format: str = Field("%Y%m%d", description="Of a date, in the signs of strptime; zeros are a missing date.")


class RecordFilter(Spec):
    """Only records with this text at this place are rows; others (heads, totals, other types) are passed over."""

    start: Place = 1
    text: str


class FixedLayout(Spec):
    """The layout of records of fixed width, as a copybook tells it."""

    fields: Annotated[tuple[FixedField, ...], Field(min_length=1)]
    length: Place | None = Field(None, description="Of a record; the end of its last field when not given.")
    line_ends: bool = Field(True, description="Each record is a line. Without them records follow each other directly.")
    only: RecordFilter | None = None

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if len({field.name.lower() for field in self.fields}) < len(self.fields):
            raise ValueError("the name of a field stands twice")
        if self.line_ends and any(field.type in ("packed", "binary") for field in self.fields):
            raise ValueError("packed and binary fields may hold the bytes of a line end; set `line_ends: false`")
        if any(field.type == "binary" and field.width not in (1, 2, 4, 8) for field in self.fields):
            raise ValueError("a binary field is 1, 2, 4 or 8 bytes wide")
        if self.length is not None and self.length < max(end for _, end in self.places()):
            raise ValueError("`length` is less than the end of a field")
        return self

    def places(self) -> tuple[tuple[int, int], ...]:
        """Where each field begins and ends in the record, from 0."""
        found, next_start = [], 0
        for field in self.fields:
            start = next_start if field.start is None else field.start - 1
            next_start = start + field.width
            found.append((start, next_start))
        return tuple(found)

    def record_length(self) -> int:
        """The length of a record."""
        return self.length or max(end for _, end in self.places())


class Written(Spec):
    """How files are written. An option that a file's format does not have is of no effect."""

    format: FileFormat = Field("auto", description="`auto`: by the first bytes, then by the name.")
    encoding: Annotated[str, AfterValidator(_known)] = Field(
        "auto", description="Of text: UTF-8, and UTF-16 with its mark, are found; another one has to be named."
    )
    delimiter: str | None = Field(None, description="Of a CSV file; found by itself when not given.")
    names: tuple[str, ...] = Field((), description="Of a CSV file without a row of names: the columns.")
    skip_lines: Annotated[int, Field(ge=0)] = Field(0, description="Of a CSV file: lines before the row of names.")
    comment: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="Of a CSV file: lines that begin with it are passed over."
    )
    null_values: tuple[str, ...] = Field(("", "NA", "NULL", "null"), description="Texts that mean a missing value.")
    record: str | None = Field(None, description="Of XML: the name of the element that is a row.")
    lists: tuple[str, ...] = Field((), description="Of XML: dotted paths that may stand several times in a row.")
    sheet: str | None = Field(None, description="Of a workbook; the first one when not given.")
    header_row: Place = Field(1, description="Of a sheet: the row that names the columns.")
    layout: FixedLayout | None = Field(None, description="Of records of fixed width.")
