"""The kind ``rest``: rows from an answer over HTTP, page by page, only what is new where the service can tell."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

from drivetrain.connect.place import Place
from drivetrain.connect.retrying import retrying
from drivetrain.connect.web_auth import Discreet, Signer, refusal
from drivetrain.connect.web_call import Call, Caller, Limits, place
from drivetrain.core.credentials import SecretRef
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.core.sources.web import Incremental, OffsetPaging, PagePaging, RestSource, Value
from drivetrain.ingest.flattened import as_text
from drivetrain.ingest.moments import text_of, time_of
from drivetrain.ingest.nested import Columns, JsonObject, at, flat_rows
from drivetrain.ingest.reading import Batch, Portion, Position
from drivetrain.ingest.rest_answer import Page, read_page
from drivetrain.ingest.rest_paging import Ask, Turns, check_origin, first_ask, next_ask
from drivetrain.ingest.row_batches import MOST_ROWS, Piece, Portioned, new_batches
from drivetrain.ingest.seen_rows import Grown, Growth, Newest, Seen, Since, Whole

_ACCEPT = "application/json, application/x-ndjson;q=0.9, text/csv;q=0.8"
_MB = 2**20


class RestReader:
    """A Reader of one collection of a service."""

    def __init__(self, spec: RestSource, where: Place) -> None:
        self._spec = spec
        self._url = _address(spec)
        self._name = spec.path.strip("/") or urlsplit(self._url).path.strip("/") or place(self._url)
        self._known = Discreet(where.secrets)
        limits = Limits(
            spec.connect_seconds,
            spec.read_seconds,
            max(spec.deadline_seconds, spec.read_seconds),
            int(spec.max_answer_mb * _MB),
            spec.requests_per_second or 0.0,
        )
        self._caller = Caller(limits, where.home / spec.ca if spec.ca else None)
        self._signer = Signer(spec.auth, self._known, self._caller)
        self._ahead: dict[Ask, Page] = {}

    def discover(self) -> tuple[Portion, ...]:
        """The collection, and how many rows it has where its pages tell.

        Asks for the first page, which ``read`` uses; not where only new rows will be asked for. Raises as ``read``
        does.
        """
        if self._spec.incremental is not None:
            return (Portion(self._name, 0),)
        ask = self._first("")
        if ask not in self._ahead:
            self._ahead = {ask: self._page(ask, is_first=True)}
        return (Portion(self._name, self._total(self._ahead[ask])),)

    def try_out(self) -> None:
        """Ask for the first page, if ``discover`` did not. Raises as ``read`` does."""
        if not self._ahead:
            self._page(self._first(""), is_first=True)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """The rows that ``seen_rows`` takes for new, and a Position at the end.

        Raises Transient when the service does not answer in time, Forbidden for refused credentials, NotFound for a
        wrong address, InvalidInput for what is not data, Refused for pages that repeat or rows that are not what they
        were.
        """
        spec, keyed = self._spec, bool(self._spec.contract.key)
        seen: Seen
        if spec.incremental is not None:
            growth = Growth(spec.incremental.field, spec.incremental.format, spec.incremental.look_back_seconds)
            seen = Since(growth, cursor, self._name, keyed=keyed)
        else:
            seen = (Whole if keyed else Grown)(cursor, self._name)
        yield from new_batches(self._pieces(cursor), seen, self._portioned)

    @property
    def _portioned(self) -> Portioned:
        spec = self._spec
        return Portioned(self._name, spec.contract.key, spec.deleted, spec.deleted_value)

    def commit(self, cursor: str) -> None:
        """The service keeps its rows."""

    def _pieces(self, cursor: str) -> Iterator[Piece]:
        """The rows of many small pages together."""
        spec, where = self._spec, place(self._url)
        columns, rows, typed = Columns(where), list[JsonObject](), True
        for page in self._pages(cursor):
            typed = page.typed
            rows += (row for record in page.rows for row in flat_rows(record, spec.depth, spec.explode, where))
            if len(rows) >= MOST_ROWS:
                yield _piece(rows, columns, typed=typed)
                rows = []
        if rows:
            yield _piece(rows, columns, typed=typed)

    def _pages(self, cursor: str) -> Iterator[Page]:
        spec = self._spec
        ask, passed = self._first(cursor), 0
        turns = Turns(spec.paging, keyed=bool(spec.contract.key))
        for number in range(spec.max_pages):
            page = self._ahead.pop(ask, None) or self._page(ask, is_first=number == 0)
            turns.check(ask, page)
            passed += len(page.rows)
            yield page
            after = next_ask(spec.paging, ask, page, passed)
            if after is None:
                return
            check_origin(after, (self._url, *spec.origins))
            ask = after
        raise Refused(
            "too_many_pages",
            f"there are more than {spec.max_pages:,} pages",
            where=place(self._url),
            hint="raise `max_pages`, ask for larger pages, or correct `paging`",
        )

    def _first(self, cursor: str) -> Ask:
        params = {name: self._param(value) for name, value in self._spec.params.items()}
        incremental = self._spec.incremental
        if incremental and (asked := _asked(incremental, cursor)) is not None:
            params[incremental.param] = asked
        return first_ask(self._spec.paging, Ask(self._url, tuple(params.items())))

    def _param(self, value: Value) -> str:
        if isinstance(value, str | SecretRef):
            return self._known.get(value)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _page(self, ask: Ask, *, is_first: bool) -> Page:
        """One page, asked for until it comes whole."""

        def attempt() -> Page:
            answer = self._signer.send(lambda: self._call(ask))
            if not is_first and answer.status == self._end_status:
                return Page((), None, answer.headers, answer.place)
            if not 200 <= answer.status < 300:
                raise refusal(answer, self._known)
            return read_page(answer, self._spec.format, self._spec.records)

        return retrying(attempt, self._spec.deadline_seconds)

    def _call(self, ask: Ask) -> Call:
        own = {name: self._known.get(value) for name, value in self._spec.headers.items()}
        query = urlencode(ask.params)
        url = f"{ask.url}{'&' if '?' in ask.url else '?'}{query}" if query else ask.url
        return Call(url, {"Accept": _ACCEPT, **own, **dict(ask.headers)})

    @property
    def _end_status(self) -> int | None:
        paging = self._spec.paging
        return paging.end_status if isinstance(paging, PagePaging | OffsetPaging) else None

    def _total(self, page: Page) -> int:
        paging = self._spec.paging
        if not isinstance(paging, PagePaging | OffsetPaging) or paging.total is None:
            return 0
        return int(as_text(at(page.body, paging.total)) or 0)


def _piece(rows: list[JsonObject], columns: Columns, *, typed: bool) -> Piece:
    table = columns.table(rows)
    return Piece(table, columns.declared if typed else None, optional_fields=True)


def _asked(incremental: Incremental, cursor: str) -> str | None:
    """What to ask from; None for everything."""
    since = _since(incremental, read_json(cursor, Newest)) if cursor else incremental.start
    return None if since is None else incremental.template.replace("{since}", since)


def _since(incremental: Incremental, newest: Newest) -> str:
    moment = newest.moment - incremental.look_back_seconds
    if incremental.written is not None:
        return time_of(moment).strftime(incremental.written)
    if not incremental.look_back_seconds and incremental.format in {"iso", "number"}:
        return newest.value  # as the service itself writes it
    return text_of(moment, incremental.format)


def _address(spec: RestSource) -> str:
    parts = urlsplit(spec.url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise InvalidInput(
            "url_invalid",
            "this is not the address of a service",
            where="url",
            hint="write https://HOST/PATH; a query goes into `params`, credentials into `auth`",
        )
    return f"{spec.url.rstrip('/')}/{spec.path.lstrip('/')}" if spec.path else spec.url
