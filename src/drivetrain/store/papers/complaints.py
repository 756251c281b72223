"""The errors of documents that are not read."""

from __future__ import annotations

from drivetrain.core.errors import InvalidInput


def unreadable(what: str, why: object) -> InvalidInput:
    """Damaged, or not what it says it is."""
    said = " ".join(str(why).split())[:200]
    return InvalidInput("document_unreadable", f"this is no {what} that can be read: {said}", hint="have it sent again")


def locked(what: str) -> InvalidInput:
    """Behind a password."""
    return InvalidInput("document_locked", f"the {what} asks for a password", hint="save it without one")


def too_large(why: str) -> InvalidInput:
    """Beyond a limit."""
    return InvalidInput("document_too_large", why, hint="split it, or raise the limit where documents are read")


def unknown(what: str) -> InvalidInput:
    """Of a kind that nothing here reads."""
    return InvalidInput(
        "document_unknown",
        f"this is {what}, which is not read",
        hint="send a PDF, Word (.docx), e-mail (.eml), HTML, a picture (PNG, JPEG, TIFF) or plain text",
    )


def without_text(why: str) -> InvalidInput:
    """Nothing of it is text."""
    return InvalidInput(
        "document_without_text", f"no text was found: {why}", hint="scan it anew, darker and with 300 dots per inch"
    )
