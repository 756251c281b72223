"""Records of fixed width, as mainframes write them: lines of text, or bytes one record after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial

from drivetrain.core.errors import InvalidInput
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.core.sources.written import FixedField, FixedLayout, Written
from drivetrain.store.files.batches import Batch
from drivetrain.store.files.content import MAX_ROW, Content, line_blocks, not_utf8
from drivetrain.store.files.text_rows import TextRows

_POSITIVE, _NEGATIVE = "{ABCDEFGHI", "}JKLMNOPQR"
_SIGNED = {sign: (str(digit), False) for digit, sign in enumerate(_POSITIVE)}
_SIGNED |= {sign: (str(digit), True) for signs in (_NEGATIVE, "pqrstuvwxy") for digit, sign in enumerate(signs)}
_FILLERS = (b"\0", b"\x20", b"\x40")  # low values, and spaces in ASCII and EBCDIC: nothing was put into the field


@dataclass(frozen=True)
class _Record:
    """A record as text and, where it is not a line, as bytes: one letter a byte."""

    text: str
    raw: bytes = b""


Value = Callable[[_Record], str | None]


def read_fixed(content: Content, written: Written, first: int) -> Iterator[Batch]:
    """The records from where ``content`` stands, numbered from ``first``; those the layout leaves out count too.

    A record that does not fit the layout is broken. Raises InvalidInput with the file's name without a layout, and
    for a file that ends inside a record.
    """
    layout = written.layout
    if layout is None:
        raise InvalidInput(
            "layout_missing",
            "nothing says how the records are laid out",
            where=content.name,
            hint="set `layout: {fields: [{name: ..., width: ...}, ...]}` on the source",
        )
    values = _values(layout, frozenset(written.null_values))
    declared = Schema(tuple(Column(field.name, _type(field)) for field in layout.fields))
    rows = TextRows(content, first, names=declared.names, declared=declared)
    for record in _lines(content) if layout.line_ends else _records(content, layout, written.encoding):
        _add(rows, record, layout, values)
        if rows.is_full:
            yield rows.take()
    if not rows.is_empty:
        yield rows.take()


def _add(rows: TextRows, record: _Record, layout: FixedLayout, values: dict[str, Value]) -> None:
    text = record.text
    only = layout.only
    is_other = only is not None and not text.startswith(only.text, only.start - 1)
    if is_other or (layout.line_ends and not text.strip()):
        rows.skip()
    elif text[layout.record_length() :].strip():
        rows.broken(text, f"the record has {len(text)} places, the layout {layout.record_length()}")
    else:
        row, name = {}, ""
        try:
            for name, value in values.items():
                row[name] = value(record)
        except ValueError as error:
            rows.broken(text if layout.line_ends else record.raw.hex(" "), f"{name}: {error}")
        else:
            rows.add(row)


def _lines(content: Content) -> Iterator[_Record]:
    for lines in line_blocks(content):
        for line in lines:
            try:
                yield _Record(line.decode().rstrip("\r"))
            except UnicodeDecodeError:
                raise not_utf8(content.name, content.path) from None


def _records(content: Content, layout: FixedLayout, encoding: str) -> Iterator[_Record]:
    length = layout.record_length()
    while block := content.read(MAX_ROW // length * length):
        if len(block) % length:
            raise InvalidInput(
                "record_cut",
                f"the file ends {len(block) % length} bytes into a record of {length}",
                where=content.name,
                hint="fetch it again; or correct `layout`: its `length`, or `line_ends` when records are lines",
            )
        for start in range(0, len(block), length):
            raw = block[start : start + length]
            yield _Record(raw.decode("ascii" if encoding == "auto" else encoding, errors="replace"), raw)


def _values(layout: FixedLayout, missing: frozenset[str]) -> dict[str, Value]:
    """What takes each field out of a record; it raises ValueError for what is not of the field's type."""
    return {
        field.name: _value(field, slice(*place), missing)
        for field, place in zip(layout.fields, layout.places(), strict=True)
    }


def _value(field: FixedField, place: slice, missing: frozenset[str]) -> Value:
    match field.type:
        case "packed":
            return lambda record: _packed(record.raw[place], field.scale)
        case "binary":
            return lambda record: _number(str(int.from_bytes(record.raw[place], "big", signed=True)), field.scale)
        case "text":
            return lambda record: _text(_letters(record, place), missing)
        case "date":
            convert: Callable[[str], str | None] = partial(_date, form=field.format)
        case "zoned":
            convert = partial(_zoned, scale=field.scale)
        case _:
            convert = partial(_number, scale=field.scale)

    def value(record: _Record) -> str | None:
        text = _letters(record, place).strip(" \0")
        if text and len(record.text) < place.stop:
            raise ValueError("the record ends inside the field")
        return None if not text or text in missing else convert(text)

    return value


def _letters(record: _Record, place: slice) -> str:
    text = record.text[place]
    if record.raw and ("\ufffd" in text or len(record.text) != len(record.raw)):
        raise ValueError("a byte is no letter in this `encoding`")
    return text


def _text(text: str, missing: frozenset[str]) -> str | None:
    found = text.rstrip(" \0")
    return None if not found or found in missing else found


def _number(text: str, scale: int) -> str:
    sign = text[:1] if text[:1] in ("+", "-") else text[-1:]
    digits = text.removeprefix(sign) if text.startswith(sign) else text.removesuffix(sign)
    if sign not in ("+", "-"):
        sign, digits = "", text
    whole, point, decimals = digits.strip().partition(".")
    if not (whole + decimals).isdecimal() or not text.isascii():
        raise ValueError(f"{text!r} is no number")
    return _signed(whole + decimals, len(decimals) if point else scale, negative=sign == "-")


def _zoned(text: str, scale: int) -> str:
    digit, negative = _SIGNED.get(text[-1], (text[-1], False))
    digits = text[:-1] + digit
    if not (digits.isdecimal() and digits.isascii()):
        raise ValueError(f"{text!r} is no zoned number")
    return _signed(digits, scale, negative=negative)


def _packed(raw: bytes, scale: int) -> str | None:
    written = raw.hex()
    digits, sign = written[:-1], written[-1]
    if digits.isdecimal() and sign in "abcdef":
        return _signed(digits, scale, negative=sign in "bd")
    if any(raw == filler * len(raw) for filler in _FILLERS):
        return None
    raise ValueError(f"x'{written.upper()}' is no packed number")


def _signed(digits: str, scale: int, *, negative: bool) -> str:
    """Digits with the point where it belongs, without zeros in front."""
    padded = digits.zfill(scale + 1)
    whole = padded[: len(padded) - scale].lstrip("0") or "0"
    return ("-" if negative else "") + whole + (f".{padded[-scale:]}" if scale else "")


@lru_cache(maxsize=10_000)
def _date(text: str, form: str) -> str | None:
    if not text.strip("0"):
        return None
    try:
        return datetime.strptime(text, form).date().isoformat()
    except ValueError:
        raise ValueError(f"{text!r} is no date of the form {form}") from None


def _type(field: FixedField) -> ColumnType:
    """Numbers that no 64 bits hold stay text."""
    if field.type in ("text", "date"):
        return ColumnType.TEXT if field.type == "text" else ColumnType.DATE
    if field.scale:
        return ColumnType.NUMBER
    digits = {"packed": 2 * field.width - 1, "binary": 18}.get(field.type, field.width)
    return ColumnType.INTEGER if digits <= 18 else ColumnType.TEXT
