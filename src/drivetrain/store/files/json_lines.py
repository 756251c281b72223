"""JSON lines: one object a line. Values become text; nested ones stay JSON."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pyarrow as pa

from drivetrain.core.errors import InvalidInput
from drivetrain.store.files.batches import Batch, BrokenRow
from drivetrain.store.files.content import Content, check_text, line_blocks, not_utf8
from drivetrain.store.files.delimited import check_names

Value = str | int | float | bool | list[object] | dict[str, object] | None
_decode = msgspec.json.Decoder(dict[str, Value]).decode
_encode = msgspec.json.encode


def check_json_lines(content: Content) -> None:
    """Raise InvalidInput when the content is not text, or one JSON array; nothing is consumed."""
    check_text(content)
    if content.peek(64).lstrip().startswith(b"["):
        raise InvalidInput(
            "json_array",
            "this is one JSON array, not an object a line",
            where=content.name,
            hint="turn it into JSON lines: `jq -c '.[]' file.json > file.jsonl`",
        )


def read_json_lines(content: Content, null_values: tuple[str, ...], first: int) -> Iterator[Batch]:
    """The rows from where ``content`` stands; the number of a row is that of its line, from ``first``.

    A line that is not one JSON object is broken. Raises InvalidInput for what is not UTF-8 or has no line ends.
    """
    missing = frozenset(null_values)
    for lines in line_blocks(content):
        yield _batch(content, lines, first, missing)
        first += len(lines)


def _batch(content: Content, lines: list[bytes], first: int, missing: frozenset[str]) -> Batch:
    rows: list[dict[str, Value]] = []
    numbers: list[int] = []
    broken: list[BrokenRow] = []
    try:
        b"\n".join(lines).decode()
    except UnicodeDecodeError:
        raise not_utf8(content.name, content.path) from None
    for number, line in enumerate(lines, start=first):
        if not line.strip():
            continue
        try:
            row = _decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            broken.append(BrokenRow(number, line.decode(), f"the line is not a JSON object: {error}"))
            continue
        if row:
            rows.append(row)
            numbers.append(number)
        else:
            broken.append(BrokenRow(number, line.decode(), "the JSON object is empty"))
    names = tuple({name: None for row in rows for name in row})
    check_names(names, content.name)
    table = pa.table({name: pa.array([_text(row.get(name), missing) for row in rows], pa.string()) for name in names})
    return Batch(
        content.name, table, pa.array(numbers, pa.int64()), tuple(broken), optional_fields=True, done=content.at_rest
    )


def as_row(line: bytes) -> dict[str, str | None]:
    """The values of one object as text. Raises msgspec.DecodeError, RecursionError for what is none."""
    return {name: _text(value, frozenset()) for name, value in _decode(line).items()}


def _text(value: Value, missing: frozenset[str]) -> str | None:
    if isinstance(value, str):
        return None if value in missing else value
    return None if value is None else _encode(value).decode()
