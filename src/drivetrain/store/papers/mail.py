"""E-mail (.eml): the body, and what is attached to it as further pages. By the standard library."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header
from email.message import Message
from email.utils import parsedate_to_datetime

from drivetrain.core.errors import InvalidInput
from drivetrain.core.papers import Page, Paper
from drivetrain.core.reading import PaperLimits
from drivetrain.store.papers.complaints import too_large, unreadable
from drivetrain.store.papers.html import read_html
from drivetrain.store.papers.plain import decoded, pages_of

_LONGEST_HEADER = 2000
Read = Callable[[bytes, int], Paper]


def read_mail(content: bytes, limits: PaperLimits, depth: int, read: Read) -> Paper:
    """The body, plain where it is there in two forms, and the attachments, by ``read(content, depth)``.

    An attachment that cannot be read is a note. Raises InvalidInput for one that lies too deep, or too many.
    """
    if depth > limits.nested:
        raise too_large(f"mails lie inside mails, more than {limits.nested} deep")
    try:
        message = message_from_bytes(content)
        parts = list(_parts(message, limits))
    except RecursionError:
        raise too_large("parts of the mail lie inside parts, without end") from None
    except (ValueError, LookupError, TypeError, IndexError, AttributeError) as error:  # its parser trips over some
        raise unreadable("e-mail", error) from error
    pages, notes = [*_body(parts)], []
    for part in parts:
        if part.is_attached:
            try:
                attached = read(part.content, depth + 1)
            except InvalidInput as error:
                if error.code == "document_too_large":
                    raise
                notes.append(f"attachment {part.name}: {error.message}")
                continue
            pages += [Page(page.blocks, page.width, page.height, part.name) for page in attached.pages]
            notes += [f"attachment {part.name}: {note}" for note in attached.notes]
    sender, title = _header(message, "from"), _header(message, "subject")
    return Paper("message/rfc822", tuple(pages), title, sender, _moment(message), tuple(notes))


class _Part:
    """A leaf of a mail."""

    def __init__(self, message: Message, number: int) -> None:
        self.kind = message.get_content_type()
        self.charset = message.get_content_charset()
        self.is_inner = self.kind == "message/rfc822"
        name = message.get_filename()
        self.name = _line(str(name)) if name else f"{number} ({self.kind})"
        disposition = str(message.get("content-disposition", "")).lstrip().lower()
        self.is_body = self.kind.startswith("text/") and not disposition.startswith("attachment") and not name
        is_drawn = self.kind.startswith("image/") and (disposition.startswith("inline") or "content-id" in message)
        self.is_attached = not self.is_body and not is_drawn  # a logo in the body is no document
        self.content = self._content(message)

    def _content(self, message: Message) -> bytes:
        if self.is_inner:
            inner = message.get_payload()
            first = inner[0] if isinstance(inner, list) and inner else None
            return first.as_bytes() if isinstance(first, Message) else b""
        payload = message.get_payload(decode=True)
        return payload if isinstance(payload, bytes) else b""


def _parts(message: Message, limits: PaperLimits) -> Iterator[_Part]:
    waiting, count = [message], 0
    while waiting:
        one = waiting.pop()
        inner = one.get_payload()
        if isinstance(inner, list) and one.get_content_maintype() == "multipart":
            waiting += reversed([part for part in inner if isinstance(part, Message)])
            continue
        count += 1
        if count > limits.attachments:
            raise too_large(f"the mail has more than {limits.attachments} parts")
        yield _Part(one, count)


def _body(parts: list[_Part]) -> Iterator[Page]:
    """Plain text where there is any, else HTML."""
    bodies = [part for part in parts if part.is_body]
    plain = [part for part in bodies if part.kind == "text/plain" and part.content.strip()]
    for part in plain:
        yield from pages_of(decoded(part.content, part.charset))
    for part in bodies if not plain else []:
        yield from read_html(part.content, part.charset).pages


def _header(message: Message, name: str) -> str:
    raw = str(message.get(name, ""))[:_LONGEST_HEADER]
    try:
        pieces = decode_header(raw)
    except (ValueError, LookupError):
        return _line(raw)
    return _line("".join(decoded(piece, charset) if isinstance(piece, bytes) else piece for piece, charset in pieces))


def _line(text: str) -> str:
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())[:500]


def _moment(message: Message) -> datetime | None:
    try:
        moment = parsedate_to_datetime(str(message.get("date", "")))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
