"""What an answer holds: its rows, whatever it is written in. A page for people is no data."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from drivetrain.connect.web_call import Answer
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import InvalidInput, Transient, examples
from drivetrain.ingest.nested import Json, JsonObject, at, read_value

Written = Literal["json", "jsonl", "csv"]


@dataclass(frozen=True)
class Page:
    """The rows of an answer, and what else it says: its JSON around the rows (None for other formats), its headers."""

    rows: tuple[JsonObject, ...]
    body: Json
    headers: Mapping[str, str]
    place: str
    typed: bool = True

    @property
    def digest(self) -> str:
        """SHA-256 of the rows."""
        return digest_of(self.rows)


def read_page(answer: Answer, written: Literal["auto"] | Written, records: str) -> Page:
    """The page in an answer of status 200. Raises InvalidInput, and Transient for a JSON text that ends too early."""
    media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind = written if written != "auto" else _by_media(media)
    start = answer.body[:256].lstrip(codecs.BOM_UTF8 + b" \r\n\t")
    if start.startswith(b"<") or (written == "auto" and "html" in media):
        raise _not_data(answer)
    if answer.status == 204 or not (start or kind != "json"):
        return Page((), None, answer.headers, answer.place)
    try:
        if kind == "csv":
            return Page(_csv(answer), None, answer.headers, answer.place, typed=False)
        if kind == "jsonl":
            lines = [read_value(line) for line in answer.body.splitlines() if line.strip()]
            return Page(_objects(lines, answer.place), None, answer.headers, answer.place)
        body = read_value(answer.body.removeprefix(codecs.BOM_UTF8))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _unreadable(answer.place, kind, error) from None
    return Page(_objects(_listed(body, records, answer.place), answer.place), body, answer.headers, answer.place)


def _by_media(media: str) -> Written:
    if media in {"text/csv", "application/csv"}:
        return "csv"
    lines = {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines"}
    return "jsonl" if media in lines or media == "application/x-jsonlines" else "json"


def _listed(body: Json, records: str, where: str) -> list[object]:
    found = at(body, records)
    if isinstance(found, list):
        return found
    around, _, name = records.rpartition(".")
    holder = at(body, around)
    if records and found is None and isinstance(holder, dict) and name in holder:
        return []  # null stands for an empty list
    keys = examples(holder, 20) if isinstance(holder, dict) else "no object"
    raise InvalidInput(
        "records_missing",
        f"the answer holds no list at {records!r}; there is {keys}" if records else f"the answer is no list: {keys}",
        where=where,
        hint="correct `records`: the dotted path to the list of rows",
    )


def _objects(items: list[object], where: str) -> tuple[JsonObject, ...]:
    for item in items:
        if not isinstance(item, dict):
            raise InvalidInput(
                "records_missing",
                f"the list holds {type(item).__name__} values, not objects",
                where=where,
                hint="correct `records`: each row is a JSON object",
            )
    return tuple(items)  # type: ignore[arg-type]  # each was looked at


def _csv(answer: Answer) -> tuple[JsonObject, ...]:
    reader = csv.reader(io.StringIO(answer.body.decode("utf-8-sig"), newline=""), strict=True)
    try:
        names, rows = next(reader, []), []
        for cells in filter(None, reader):
            if len(cells) != len(names):
                raise csv.Error(f"line {reader.line_num} has {len(cells)} values for {len(names)} columns")
            rows.append({name: cell or None for name, cell in zip(names, cells, strict=True)})
    except csv.Error as error:
        raise InvalidInput(
            "answer_unreadable", f"the answer is not CSV: {error}", where=answer.place, hint="look at it with curl"
        ) from None
    return tuple(rows)


def _unreadable(where: str, kind: str, error: Exception) -> InvalidInput | Transient:
    if "truncated" in str(error):
        return Transient("web_cut_off", "the JSON ends too early", where=where, hint="run the same command again")
    return InvalidInput(
        "answer_unreadable",
        f"the answer is not {'JSON' if kind == 'json' else kind}: {error}",
        where=where,
        hint="look at it with curl; set `format` if it is not what its Content-Type says",
    )


def _not_data(answer: Answer) -> InvalidInput:
    title = re.search(rb"<title[^>]*>(.*?)</title>", answer.body[:65536], re.DOTALL | re.IGNORECASE)
    named = f", {' '.join(title[1].decode('utf-8', 'replace').split())[:80]!r}" if title else ""
    return InvalidInput(
        "answer_not_data",
        f"a page for people came instead of data (HTML or XML{named})",
        where=answer.place,
        hint="a login page: renew the credentials; else correct `url` to that of the API",
    )
