"""What the library under a lake (Rust's object_store) says of a failure, in one line that may be shown."""

from __future__ import annotations

import re

import pyarrow as pa

_COLOURS = re.compile(r"\x1b\[[0-9;]*m|↳")
_QUERY = re.compile(r"\?\S+")
_STORE = re.compile(r"Generic \w+ error|error sending request|timed? ?out|connection", re.I)
_NO = re.compile(r"\b40[13]\b|denied|unauthori[sz]ed|forbidden|necessary privileges", re.I)


def said_by(error: Exception) -> str:
    """Its text, shortened, without colours, and without queries, which may be signed."""
    return " ".join(_QUERY.sub("?...", _COLOURS.sub("", str(error))).split())[:300]


def says_no(said: str) -> bool:
    """Whether it means that the credentials are not enough."""
    return _NO.search(said) is not None


def may_pass(error: Exception) -> bool:
    """Whether the store or the disk failed; Arrow says with an OSError, too, that a file is damaged."""
    if not isinstance(error, OSError) or isinstance(error, pa.ArrowException):
        return False
    return error.errno is not None or _STORE.search(str(error)) is not None
