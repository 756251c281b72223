"""Sources that are documents."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from drivetrain.core.contract import Contract
from drivetrain.core.reading import STANDARD, PaperLimits, PaperReading
from drivetrain.core.sources.storage import Storage, check_path, check_storage
from drivetrain.core.spec import Spec

_MB = 1024 * 1024


class DocumentLimits(Spec):
    """What one document may take. What takes more goes to quarantine."""

    mb: Annotated[int, Field(ge=1, le=1024)] = Field(STANDARD.bytes // _MB, description="Of the file.")
    pages: Annotated[int, Field(ge=1)] = STANDARD.pages
    characters: Annotated[int, Field(ge=1)] = STANDARD.characters
    seconds: Annotated[float, Field(gt=0)] = Field(
        STANDARD.seconds, description="To read it; a scanned page takes two or three."
    )
    memory_mb: Annotated[int, Field(ge=256)] = Field(STANDARD.memory_mb, description="Of the process that reads.")

    def as_paper_limits(self) -> PaperLimits:
        """The same for who reads."""
        return PaperLimits(
            bytes=self.mb * _MB,
            pages=self.pages,
            characters=self.characters,
            seconds=self.seconds,
            memory_mb=self.memory_mb,
        )


class DocumentsSource(Spec):
    """Documents: PDF, Word, e-mail, HTML, pictures and plain text; a row for each."""

    kind: Literal["documents"]
    path: Annotated[str, AfterValidator(check_path)] = Field(
        description="A file, a folder or a glob: relative to the project file, or afar as in a source of files."
    )
    storage: Storage = Storage()
    ocr: bool = Field(True, description="Look for letters in pictures and scanned pages.")
    mask: bool = Field(True, description="Put `<email>`, `<iban>` and the like in place of personal data.")
    tagger: str | None = Field(
        None, description="File made by `drivetrain documents learn`: finds the fields that rules cannot tell."
    )
    retention_days: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Keep the originals so many days, by their SHA-256; none are kept when not given."
    )
    limits: DocumentLimits = DocumentLimits()
    contract: Contract = Contract()

    @property
    def is_afar(self) -> bool:
        """Whether the documents lie on another machine."""
        return "://" in self.path

    @property
    def format(self) -> Literal["documents"]:
        """What is taken of a folder."""
        return "documents"

    def reading(self, tagger: bytes = b"") -> PaperReading:
        """How its documents are read, here and in a service; ``tagger`` is what stands in the file of that name."""
        return PaperReading(self.limits.as_paper_limits(), self.ocr, self.mask, tagger)

    @model_validator(mode="after")
    def _storage_fits(self) -> Self:
        check_storage(self.path, self.storage)
        return self
