"""How values show themselves in Jupyter: tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from html import escape

_LONGEST = 120


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """An HTML table with a caption; every cell is escaped."""
    left = "style='text-align:left'"
    head = "".join(f"<th {left}>{escape(cell)}</th>" for cell in header)
    lines = ("".join(f"<td {left}>{escape(str(cell))}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f"<table><caption><b>{escape(title)}</b></caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


class Displayed:
    """A dataclass with this beside it shows its fields as a table in Jupyter."""

    def _repr_html_(self) -> str:
        assert dataclasses.is_dataclass(self)
        fields = [(field.name, _short(getattr(self, field.name))) for field in dataclasses.fields(self)]
        return table(str(getattr(self, "ref", type(self).__name__)), ("field", "value"), fields)


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."
