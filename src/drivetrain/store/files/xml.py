"""XML, one row for each element of a name, in memory for one row. A file with a DTD is refused before it is read: with
it go entities, those that grow without end and those that fetch other files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

import msgspec

from drivetrain.core.errors import InvalidInput
from drivetrain.core.sources.written import Written
from drivetrain.store.files.batches import Batch
from drivetrain.store.files.content import MAX_ROW, Content, row_too_long
from drivetrain.store.files.text_rows import TextRows

_CHUNK = 65_536
_DEEPEST, _LONGEST_PATH, _MOST = 100, 300, 100_000  # elements; letters; values


@dataclass
class _Element:
    """An element that is open: its path within the row, its text, and the values below it by path."""

    path: str
    texts: list[str] = field(default_factory=list)
    values: list[tuple[str, str | None]] = field(default_factory=list)
    is_null: bool = False


def read_xml(content: Content, written: Written) -> Iterator[Batch]:
    """The rows, numbered from 1: attributes and elements below become columns, deeper ones with dots between names.

    A row in which a path stands several times that ``lists`` does not name is broken. Raises InvalidInput with the
    file's name and line for what is not XML, has a DTD, or has no such element.
    """
    if written.record is None:
        raise InvalidInput(
            "record_missing",
            "which element is a row?",
            where=content.name,
            hint="set `record: NAME` on the source, the name of the element that repeats",
        )
    records = _Records(TextRows(content, 1), written)
    parser, fed = _parser(records, content.name, written.encoding), 0
    try:
        while chunk := content.read(_CHUNK):
            fed += len(chunk)
            parser.Parse(chunk, False)
            start = records.start if records.open else parser.CurrentByteIndex
            if fed - start > MAX_ROW:
                raise row_too_long(f"{content.name}:{parser.CurrentLineNumber}")
            if records.rows.is_full:
                yield records.rows.take()
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the latter two: an encoding that expat does not know
        raise InvalidInput(
            "xml_invalid", f"not readable as XML: {error}", where=content.name, hint="correct or fetch the file again"
        ) from error
    if not records.count:
        raise InvalidInput(
            "record_unknown",
            f"the file holds no element {written.record!r}",
            where=content.name,
            hint="correct `record`; prefixes of namespaces are left out",
        )
    if not records.rows.is_empty:
        yield records.rows.take()


def _parser(records: _Records, name: str, encoding: str) -> expat.XMLParserType:
    parser = expat.ParserCreate(None if encoding == "auto" else encoding)
    parser.buffer_text = True

    def refuse(*_: object) -> NoReturn:
        raise InvalidInput(
            "xml_dtd",
            "the file has a document type (DTD), which is not read, since it can do harm",
            where=f"{name}:{parser.CurrentLineNumber}",
            hint="write it without <!DOCTYPE ...>",
        )

    def started(tag: str, attributes: dict[str, str]) -> None:
        if not records.open:
            records.start = parser.CurrentByteIndex
        records.started(_local(tag), attributes)

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = started
    parser.EndElementHandler = records.ended
    parser.CharacterDataHandler = records.text
    return parser


class _Records:
    """Makes rows of what the parser tells."""

    def __init__(self, rows: TextRows, written: Written) -> None:
        self.rows = rows
        self.start = 0
        self.count = 0
        self.open: list[_Element] = []
        self._record, self._lists = written.record, frozenset(written.lists)
        self._missing = frozenset(written.null_values)
        self._values = 0
        self._beyond = ""

    def started(self, tag: str, attributes: dict[str, str]) -> None:
        if not self.open and tag != self._record:
            return
        element = _Element(self._path(self.open[-1].path, tag) if self.open else "")
        if len(self.open) >= _DEEPEST:
            self._beyond = f"elements lie deeper than {_DEEPEST}"
        for name, value in attributes.items():
            if name.endswith(":nil"):
                element.is_null = value in ("true", "1")
            elif name != "xmlns" and not name.startswith("xmlns:"):
                element.values.append((self._path(element.path, _local(name)), value))
        self.open.append(element)

    def _path(self, above: str, name: str) -> str:
        """The path of a value; beyond the bounds of a row, which keep its memory small, nothing grows any more."""
        path = f"{above}.{name}" if above else name
        self._values += 1
        if self._beyond:
            return above
        if self._values > _MOST:
            self._beyond = f"it has more than {_MOST:,} values"
        elif len(path) > _LONGEST_PATH:
            self._beyond = f"names of elements, one in the other, are longer than {_LONGEST_PATH} letters"
        return path

    def text(self, text: str) -> None:
        if self.open:
            self.open[-1].texts.append(text)

    def ended(self, _: str) -> None:
        if not self.open:
            return
        element = self.open.pop()
        text = "".join(element.texts).strip()
        if self._beyond:
            element.values.clear()
        elif element.path and (text or not element.values):
            element.values.insert(0, (element.path, None if element.is_null else text))
        if not self.open:
            self._row(element.values)
        elif element.path in self._lists:
            # all of it is one item of the list
            self.open[-1].values.append((element.path, _item(element)))
        else:
            self.open[-1].values += element.values

    def _row(self, values: list[tuple[str, str | None]]) -> None:
        self.count += 1
        row: dict[str, str | None] = {}
        items: dict[str, list[msgspec.Raw]] = {}
        twice = None
        for path, value in values:
            if path in self._lists:
                items.setdefault(path, []).append(msgspec.Raw((value or "null").encode()))
            elif path in row:
                twice = twice or path
            else:
                row[path] = None if value is None or value in self._missing else value
        self._values = 0
        row |= {path: msgspec.json.encode(found).decode() for path, found in items.items()}
        if self._beyond:
            self.rows.broken("", self._beyond)
            self._beyond = ""
        elif twice:
            reason = f"{twice} stands several times; name it, or what it lies in, in `lists`"
            self.rows.broken(msgspec.json.encode(values).decode(), reason)
        elif row:
            self.rows.add(row)
        else:
            self.rows.broken("", "the element is empty")


def _item(element: _Element) -> str:
    """An item of a list as JSON: its text, or its values by their paths within it."""
    before = len(element.path)
    if all(path == element.path for path, _ in element.values):
        return msgspec.json.encode(element.values[0][1]).decode()
    return msgspec.json.encode({path[before:].lstrip(".") or "text": value for path, value in element.values}).decode()


def _local(name: str) -> str:
    return name.rpartition(":")[2]
