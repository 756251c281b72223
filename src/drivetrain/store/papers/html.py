"""HTML as a person sees it: no scripts, no styles, cells of a table side by side. Nothing is fetched."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from drivetrain.core.papers import Paper
from drivetrain.store.papers.plain import decoded, pages_of

_UNSEEN = frozenset({"script", "style", "template", "noscript", "svg", "math", "object", "iframe", "head"})
_LINES = frozenset(
    [
        *("address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "div", "dl", "dt", "fieldset"),
        *("figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main"),
        *("nav", "ol", "option", "p", "pre", "section", "table", "tbody", "tfoot", "thead", "tr", "ul"),
    ]
)
_CELLS = frozenset({"td", "th"})
_EMPTY = frozenset({"br", "hr", "img", "input", "meta", "link", "col", "area", "base", "wbr", "embed", "source"})
_CHARSET = re.compile(rb"""<meta[^>]{1,200}?charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)


def read_html(content: bytes, encoding: str | None = None) -> Paper:
    """A page of the web, or the body of a mail whose header names the ``encoding``."""
    named = _CHARSET.search(content[:4096])
    return paper_of(decoded(content, encoding or (named[1].decode("ascii") if named else None)))


def paper_of(source: str) -> Paper:
    """The same of text that is decoded already."""
    seen = _Seen()
    seen.feed(source)
    seen.close()
    return Paper("text/html", pages_of("".join(seen.pieces)), title=" ".join("".join(seen.title).split()))


class _Seen(HTMLParser):
    """Collects the text that is seen, and the title."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.title: list[str] = []
        self._unseen = ""
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = True
        elif tag == "body":
            self._unseen = ""  # a head that nobody closed
        elif not self._unseen and tag in _UNSEEN:
            self._unseen = tag
        if tag in _LINES:
            self.pieces.append("\n")
        elif tag in _CELLS:
            self.pieces.append("\t")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _EMPTY or tag not in _UNSEEN:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        if tag == self._unseen:
            self._unseen = ""
        if tag in _LINES:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._unseen:
            self.pieces.append(" ".join(data.split("\n")) if "\n" in data else data)
