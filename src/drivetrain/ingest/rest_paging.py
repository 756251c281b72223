"""What to ask for the next page: a pure function of the page before, for each way in which services page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import assert_never
from urllib.parse import urljoin, urlsplit

from drivetrain.core.digest import digest_of
from drivetrain.core.errors import InvalidInput, Refused, Transient
from drivetrain.core.sources.web import (
    CursorPaging,
    LinkPaging,
    NextUrlPaging,
    OffsetPaging,
    PagePaging,
    Paging,
    TokenPaging,
)
from drivetrain.ingest.flattened import as_text
from drivetrain.ingest.nested import Json, at
from drivetrain.ingest.rest_answer import Page

_LINK = re.compile(r"<([^>]*)>([^<]*)")
_RELATION = re.compile(r";\s*rel\s*=\s*\"?([^\";,]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Ask:
    """Where a page is asked for, and with what beside the credentials."""

    url: str
    params: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def having(self, name: str, value: str) -> Ask:
        """The same with this parameter, in place of one of the name."""
        return replace(self, params=(*(pair for pair in self.params if pair[0] != name), (name, value)))

    def value(self, name: str) -> str:
        """What it has for this parameter."""
        return dict(self.params)[name]


def first_ask(paging: Paging | None, ask: Ask) -> Ask:
    """The question for the first page."""
    if not isinstance(paging, PagePaging | OffsetPaging):
        return ask
    sized = ask.having(paging.size_parameter, str(paging.size)) if paging.size else ask
    return sized.having(paging.parameter, str(paging.first))


def next_ask(paging: Paging | None, ask: Ask, page: Page, passed: int) -> Ask | None:
    """The question for the page after this one; None at the end. ``passed`` rows came so far, with this page.

    Raises InvalidInput where the answer lacks what tells the end, Transient where it ended before its own total.
    """
    match paging:
        case None:
            return None
        case PagePaging() | OffsetPaging():
            step = 1 if isinstance(paging, PagePaging) else len(page.rows)
            more = _goes_on(paging, page, passed)
            return ask.having(paging.parameter, str(int(ask.value(paging.parameter)) + step)) if more else None
        case CursorPaging():
            more = paging.more is None or _is_true(at(page.body, paging.more))
            cursor = as_text(at(page.body, paging.next) or None)
            return ask.having(paging.parameter, cursor) if more and cursor else None
        case TokenPaging():
            token = page.headers.get(paging.header)
            if not token:
                return None
            if paging.parameter is not None:
                return ask.having(paging.parameter, token)
            return replace(ask, headers=((paging.send_header or "", token),))
        case LinkPaging():
            return _at_url(ask, _linked(page.headers.get("link", "")))
        case NextUrlPaging(end=str(end)) if _is_true(at(page.body, end)):
            return None
        case NextUrlPaging():
            return _at_url(ask, as_text(at(page.body, paging.next) or None))
        case _:
            assert_never(paging)


class Turns:
    """Watches that a service really turns its pages: one that does not would never end, or double rows."""

    def __init__(self, paging: Paging | None, *, keyed: bool) -> None:
        self._counts, self._keyed = isinstance(paging, PagePaging | OffsetPaging), keyed
        self._asked: set[str] = set()
        self._given: set[str] = set()
        self._last = ""

    def check(self, ask: Ask, page: Page) -> None:
        """Raise Refused for a page that was asked for or given before; with a key, rows may come twice."""
        question, given = digest_of(ask.url, ask.params, ask.headers), page.digest
        same = given == self._last if self._keyed else given in self._given
        if question in self._asked or (page.rows and same and (self._counts or not self._keyed)):
            raise Refused(
                "page_repeated",
                "the service gives a page again that it gave before: it would never end, or double rows",
                where=page.place,
                hint="correct `paging` (a service passes over a parameter that it does not know); where rows may "
                "really come twice, give the contract a `key`",
            )
        self._asked.add(question)
        self._given.add(given)
        self._last = given


def check_origin(ask: Ask, allowed: tuple[str, ...]) -> None:
    """Raise Refused when a page is at a place that the source does not name: credentials would go there."""
    if _origin(ask.url) not in {_origin(url) for url in allowed}:
        raise Refused(
            "next_elsewhere",
            f"the next page is at {_origin(ask.url)}, another place than the source's",
            where=_origin(allowed[0]),
            hint="if it is theirs, name it in `origins`: the credentials are sent there too",
        )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _goes_on(paging: PagePaging | OffsetPaging, page: Page, passed: int) -> bool:
    if paging.more is not None and not _is_true(_said(page, paging.more)):
        return False
    if paging.total is not None:
        total = int(as_text(_said(page, paging.total)) or 0)
        if passed < total and not page.rows:
            raise Transient(
                "pages_incomplete",
                f"the service speaks of {total:,} rows and gave {passed:,}",
                where=page.place,
                hint="run the same command again; leave `total` out if it counts rows that you may not see",
            )
        return passed < total
    return bool(page.rows)


def _said(page: Page, path: str) -> Json:
    found = at(page.body, path)
    if found is None:
        raise InvalidInput(
            "page_end_unknown",
            f"the answer has nothing at {path!r}, which tells whether there are more pages",
            where=page.place,
            hint="correct `paging`",
        )
    return found


def _is_true(value: Json) -> bool:
    return value not in (None, False, 0, "", "false", "False", "0")


def _at_url(ask: Ask, url: str | None) -> Ask | None:
    return Ask(urljoin(ask.url, url)) if url else None


def _linked(header: str) -> str | None:
    for target, words in _LINK.findall(header):
        relation = _RELATION.search(words)
        if relation and "next" in relation[1].lower().split():
            return str(target)
    return None
