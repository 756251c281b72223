"""The head of a request: parsed by llhttp, and judged by the rules against request smuggling.

What frames the body is decided here, once: RFC 9112, sections 3.2, 6.1, 6.2 and 11.2. A head that two servers could
read in two ways is refused, not repaired.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

import httptools

ONCE = frozenset({"authorization", "content-length", "content-type", "host", "transfer-encoding", "x-api-key"})
_MOST_HEADERS = 100
_CACHED = 1024
_CACHED_BYTES = 4096
_LENGTH = re.compile(r"[0-9]{1,18}")
_BARE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_START = re.compile(rb"[A-Z]+ [^\x00-\x20\x7f]+ HTTP/[0-9]\.[0-9]\r\n")
END = b"\r\n\r\n"


@dataclass(slots=True, eq=False)
class Head:
    """Method, path (decoded), query, headers by lower-case name, and how the body is framed.

    ``length`` is None when the body comes in chunks. ``lasting``: the connection may be used again after the answer.
    ``chunks``: the answer may come in chunks too (HTTP/1.0 does not know them).
    ``plan`` is whatever the handler makes of the head: the same head comes again and again, and is the same object.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    length: int | None
    lasting: bool
    expects: bool
    chunks: bool = True
    plan: object = None


class BadHead(ValueError):
    """What cannot be answered but with an error and the end of the connection."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Heads:
    """Parses heads and remembers them: a caller sends the same head, byte for byte, again and again."""

    def __init__(self) -> None:
        self.known: dict[bytes, Head] = {}

    def read(self, raw: bytes) -> Head:
        """The head in ``raw``, which ends with the empty line. Raises BadHead."""
        head = self.known.get(raw)
        if head is None:
            head = parse_head(raw)
            if len(raw) <= _CACHED_BYTES:
                if len(self.known) >= _CACHED:
                    self.known.clear()
                self.known[raw] = head
        return head


def parse_head(raw: bytes) -> Head:
    """Parse one whole head; raises BadHead for whatever is not plain."""
    if _BARE_END.search(raw) or b"\n " in raw or b"\n\t" in raw:
        raise BadHead(400, "lines of a head end with CRLF and are not folded")
    if _START.match(raw) is None:  # llhttp takes several spaces, others see other words then
        raise BadHead(400, "a request begins with a method, a path and a version, one space between them")
    reader = _Reader()
    parser = httptools.HttpRequestParser(reader)
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass  # nobody has to take up an offer to speak something else
    except httptools.HttpParserError as error:
        raise BadHead(400, f"this is not HTTP: {error}") from None
    if reader.problem is not None:
        raise reader.problem
    if not reader.whole:
        raise BadHead(400, "the head is not whole")
    version = parser.get_http_version()
    if version not in ("1.0", "1.1"):
        raise BadHead(505, "only HTTP/1.1 and HTTP/2 are spoken here")
    headers = reader.headers
    if version == "1.1" and "host" not in headers:
        raise BadHead(400, "HTTP/1.1 needs the header Host")
    path, query = _target(reader.target)
    return Head(
        method=parser.get_method().decode("ascii"),
        path=path,
        query=query,
        headers=headers,
        length=_length(headers, version),
        lasting=version == "1.1" and "close" not in headers.get("connection", "").lower(),
        expects=version == "1.1" and headers.get("expect", "").lower() == "100-continue",
        chunks=version == "1.1",
    )


def http2_head(lines: Iterable[tuple[str, str]]) -> tuple[Head, str]:
    """The head in the lines of a request, which h2 has checked, and what is wrong with it; empty when nothing is."""
    headers: dict[str, str] = {}
    problem = ""
    for name, value in lines:
        if name in headers:
            problem = f"the header {name} comes twice" if name in ONCE else problem
            headers[name] += f"{'; ' if name == 'cookie' else ', '}{value}"
        else:
            headers[name] = value
    target = headers.pop(":path", "")
    headers.setdefault("host", headers.pop(":authority", ""))
    path, _, query = target.partition("?")
    length = headers.get("content-length")
    head = Head(
        method=headers.pop(":method", ""),
        path=unquote(path) if "%" in path else path,
        query=query,
        headers=headers,
        length=int(length) if length is not None and length.isdigit() else None,
        lasting=True,
        expects=headers.get("expect", "").lower() == "100-continue",
    )
    headers.pop(":scheme", None)
    return head, problem or ("" if path.startswith("/") else "the target of a request begins with /")


def _target(raw: bytes) -> tuple[str, str]:
    target = raw.decode("latin-1")
    if not target.startswith("/"):
        raise BadHead(400, "the target of a request begins with /")
    path, _, query = target.partition("?")
    return (unquote(path) if "%" in path else path), query


def _length(headers: dict[str, str], version: str) -> int | None:
    """How many bytes the body has; None for chunks. Raises BadHead for framing that is not clear."""
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None:
        if length is not None or version != "1.1":
            raise BadHead(400, "Transfer-Encoding comes alone, and with HTTP/1.1")
        if coding.lower() != "chunked":
            raise BadHead(501, "the only transfer coding here is chunked")
        return None
    if length is None:
        return 0
    if _LENGTH.fullmatch(length) is None:
        raise BadHead(400, "Content-Length is not one number")
    return int(length)


class _Reader:
    """What httptools calls while it parses."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: dict[str, str] = {}
        self.problem: BadHead | None = None  # httptools would hide an error that is raised inside its calls
        self.whole = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")
        if key in self.headers:
            if key in ONCE:
                self.problem = BadHead(400, f"the header {key} comes twice")
            text = f"{self.headers[key]}, {text}"
        elif len(self.headers) >= _MOST_HEADERS:
            self.problem = BadHead(431, f"more than {_MOST_HEADERS} headers")
            return
        self.headers[key] = text

    def on_headers_complete(self) -> None:
        self.whole = True
