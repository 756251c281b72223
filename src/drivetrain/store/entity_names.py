"""Whose predictions are whose: the name of an entity in the lake, by the entity of a case, an input, or its event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from drivetrain.core.decoding import read_json
from drivetrain.core.entity_view import EntityView

_JSON_VALUE = r'(?P<value>"(?:[^"\\]|\\.)*"|[^,}]*)'
Columns = Mapping[str, list[object]]


class EntityNames:
    """How the entities of one table of predictions are named. ``source`` is the column that tells, as text."""

    def __init__(self, view: EntityView, schema: pa.Schema) -> None:
        inputs = [field.name for field in schema.field("inputs").type]
        self._view = view
        self._in_events = bool(view.by) and view.by not in inputs
        if not view.by:
            self.source = ds.field("entity")
        elif not self._in_events:
            self.source = ds.field("inputs", view.by).cast(pa.string())
        else:
            self.source = ds.field("event") if "event" in schema.names else pc.scalar("")

    def of(self, source: pa.ChunkedArray) -> pa.ChunkedArray:
        """The names in a column that was read as ``source``; null where there is none."""
        if self._in_events:
            source = _of_events(source, self._view.by)
        if not self._view.until:
            return source
        return pc.list_element(pc.split_pattern(source, self._view.until, max_splits=1), 0)

    def likely(self, name: str) -> ds.Expression:
        """A filter that lets all rows of an entity through, and few others: for the files to be read quickly."""
        if self._in_events:
            return pc.match_substring(self.source, msgspec.json.encode(name).decode()[1:-1])
        if not self._view.until:
            return self.source == name
        return (self.source == name) | pc.starts_with(self.source, name + self._view.until)


def seen_inputs(rows: pa.Table, hidden: Sequence[str]) -> pa.Table:
    """What the model saw of rows, and the columns of the events behind them, but the ``hidden`` ones: a column each."""
    inputs = rows["inputs"].combine_chunks()
    columns: dict[str, pa.Array] = {field.name: pc.struct_field(inputs, field.name) for field in inputs.type}
    for name, values in _events(rows).items():
        columns.setdefault(name, pa.array(values))
    return pa.table({name: column for name, column in columns.items() if name not in hidden})


def _of_events(events: pa.ChunkedArray, column: str) -> pa.ChunkedArray:
    key = msgspec.json.encode(column).decode()
    found = pc.struct_field(pc.extract_regex(events, f"[{{,]{_literal(key)}:{_JSON_VALUE}"), "value")
    coded = found.combine_chunks().dictionary_encode()
    names = pa.array([_text(value) for value in coded.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([names.take(coded.indices)])


def _literal(text: str) -> str:
    """A text as a regular expression for itself."""
    return "".join(letter if letter.isalnum() or letter in '"_' else f"\\{letter}" for letter in text)


def _text(value: str) -> str | None:
    """A value of JSON as a name; numbers as people write them."""
    (said,) = read_json(f"[{value}]", list[str | float | bool | None])
    if isinstance(said, float):
        return f"{said:.15g}"
    return None if said is None else str(said)


def _events(rows: pa.Table) -> Columns:
    if "event" not in rows.column_names:
        return {}
    said = [read_json(event.encode(), dict[str, object]) if event else {} for event in rows["event"].to_pylist()]
    names = dict.fromkeys(name for one in said for name in one)
    return {name: [one.get(name) for one in said] for name in names}
