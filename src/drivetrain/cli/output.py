"""What a command prints: tables and colours for a person, one JSON value with ``--json`` for a machine."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from drivetrain.core.errors import DrivetrainError
from drivetrain.core.refs import Ref

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

COLOURS = {
    "fresh": "green", "pass": "green", "steady": "green", "ok": "green",
    "stale": "yellow", "waiting": "dim", "missing": "yellow", "too_few_rows": "yellow",
    "fail": "red", "drifted": "red",
}  # fmt: skip


def plain(value: object) -> Plain:
    """A value as JSON knows it: artefacts as objects with their ``ref``, refs as text."""
    if isinstance(value, Ref | Path):
        return str(value)
    if isinstance(value, Enum):
        return plain(value.value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        ref = getattr(value, "ref", None)
        return {"ref": str(ref), **shown} if isinstance(ref, Ref) else shown
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def print_json(value: object) -> None:
    """One JSON value on standard output."""
    print(json.dumps(plain(value), indent=2, allow_nan=False))  # noqa: T201 - machines read this, not a console


def print_json_line(value: object) -> None:
    """One JSON value on a line of standard output, at once: one of several that come over time."""
    print(json.dumps(plain(value), allow_nan=False), flush=True)  # noqa: T201 - machines read this, not a console


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """A table; words such as pass, fail, stale get their colour."""
    columns = [Column(name, overflow="fold") for name in header]  # a narrow terminal shows every letter all the same
    table = Table(*columns, title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(coloured(cell) for cell in row))
    out.print(table)


def coloured(cell: object) -> str:
    """The text of a cell, in its colour when it is a state."""
    text = escape(str(cell))
    colour = COLOURS.get(text)
    return f"[{colour}]{text}[/]" if colour else text


def print_error(error: DrivetrainError, *, as_json: bool) -> None:
    """What happened, where, and what to do next."""
    if as_json:
        print_json({"error": {"code": error.code, "message": error.message, "where": error.where, "hint": error.hint}})
        return
    place = f"{escape(error.where)}: " if error.where else ""
    err.print(f"[bold red]error[/] {place}{escape(error.message)} [dim]\\[{error.code}][/]")
    if error.hint:
        err.print(f"  [bold]->[/] {escape(error.hint)}")
