"""What goes to the process that reads documents, and what comes back."""

from __future__ import annotations

import struct

import msgspec

ORDER = struct.Struct("=Q")
"""In front of the order: its bytes, of JSON."""
REQUEST = struct.Struct("=cQ")
"""In front of each document: what is asked of it, and its bytes."""
ANSWER = struct.Struct("=cQ")
"""In front of each answer: its kind, and its bytes."""
READ, DESCRIBE = b"r", b"d"
"""The whole document, or what is told of it in a row."""
READY, DONE, REFUSED, MISSING = b"!", b"+", b"-", b"m"


class Complaint(msgspec.Struct, frozen=True):
    """Why a document was refused; of what is ``MISSING`` message and hint are the library and the extra."""

    code: str
    message: str
    hint: str
