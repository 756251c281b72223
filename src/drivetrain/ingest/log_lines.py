"""Records of logs taken apart: web servers, syslog, JSON, logfmt, and patterns of one's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import msgspec

from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.core.sources.logs import LogsSource
from drivetrain.ingest.grok import MONTHS, compile_pattern
from drivetrain.store.files.json_lines import as_row

Row = dict[str, str | None]
_WEB = (
    r"%{NOTSPACE:client} %{NOTSPACE:ident} %{DATA:user} \[%{HTTPDATE:time}\] "
    r'"(?:(?P<method>[A-Za-z-]+) (?P<path>\S+)(?: (?P<protocol>HTTP/[\d.]+))?|(?P<request>(?:[^"\\]|\\.)*))" '
    r"(?:%{INT:status}|-) (?:%{INT:bytes}|-)(?: %{QUOTED:referer} %{QUOTED:agent})?(?: (?P<more>.*))?"
)
_PRIORITY = r"(?:<(?P<priority>\d{1,3})>)?"
_BSD = compile_pattern(
    _PRIORITY + r"(?:(?P<bare>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)|%{ISO8601:time}) %{NOTSPACE:host} "
    r"(?:(?P<app>[^\s:\[]+)(?:\[(?P<pid>[^\]]*)\])?: ?)?%{GREEDYDATA:message}"
)
_IETF = compile_pattern(
    _PRIORITY + r"1 (?:%{ISO8601:time}|-) %{NOTSPACE:host} %{NOTSPACE:app} %{NOTSPACE:pid} %{NOTSPACE:id} "
    r"(?P<data>-|(?:\[(?:[^\]\\\"]|\\.|\"(?:[^\"\\]|\\.)*\")*\])+)(?: \ufeff?%{GREEDYDATA:message})?"
)
_ELEMENT = re.compile(r'\[(\S+)((?:\s+[^=\s]+="(?:[^"\\]|\\.)*")*)\s*\]')
_PARAMETER = re.compile(r'([^=\s]+)="((?:[^"\\]|\\.)*)"')
_PAIR = re.compile(r'([^\s="]+)(?:=("(?:[^"\\]|\\.)*"|[^\s"]*))?(?:\s+|$)')
_FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
_SEVERITIES = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
_SYSLOG = ("facility", "severity", "time", "host", "app", "pid", "id", "data", "message")


@dataclass(frozen=True)
class Lines:
    """How records are taken apart: a row, or None for one that does not fit. Without ``columns`` each has its own."""

    parse: Callable[[str], Row | None]
    columns: Schema | None = None


def lines_of(spec: LogsSource, written: datetime) -> Lines:
    """How the records of a file last written then are taken apart. Raises InvalidInput for a pattern that is none."""
    match spec.format:
        case "json":
            return Lines(_json)
        case "logfmt":
            return Lines(_logfmt)
        case "syslog":
            kinds = (ColumnType.TIMESTAMP if name == "time" else ColumnType.TEXT for name in _SYSLOG)
            columns = Schema(tuple(Column(name, kind) for name, kind in zip(_SYSLOG, kinds, strict=True)))
            return Lines(partial(_syslog, written=written, zone=ZoneInfo(spec.time_zone)), columns)
        case _:
            pattern = compile_pattern(spec.pattern or _WEB)
            return Lines(pattern.match, pattern.columns)


def _json(text: str) -> Row | None:
    try:
        return as_row(text.encode()) or None
    except (msgspec.DecodeError, RecursionError):
        return None


def _logfmt(text: str) -> Row | None:
    row: Row = {}
    place = 0
    while place < len(text):
        found = _PAIR.match(text, place)
        if found is None:
            return None
        key, value = found[1], found[2]
        if value is not None and value.startswith('"'):
            value = _unescaped(value[1:-1])
        row[key] = "true" if value is None else value or None
        place = found.end()
    return row if "=" in text else None


def _syslog(text: str, written: datetime, zone: ZoneInfo) -> Row | None:
    row = _IETF.match(text) or _BSD.match(text)
    if row is None:
        return None
    if bare := row.get("bare"):
        row["time"] = _with_year(bare, written, zone)
    if priority := row["priority"]:
        facility, severity = divmod(int(priority), 8)
        row["facility"] = _FACILITIES[facility] if facility < len(_FACILITIES) else None
        row["severity"] = _SEVERITIES[severity]
    if data := row.get("data"):
        row["data"] = _structured(data)
    return {name: row.get(name) for name in _SYSLOG}


def _with_year(text: str, written: datetime, zone: ZoneInfo) -> str | None:
    """A time without a year as ISO 8601: the last such time that is not after the file was written (by a day)."""
    if text[:3] not in MONTHS:
        return None
    month, day = MONTHS.index(text[:3]) + 1, int(text[4:6])
    hour, minute, second = (int(part) for part in text[7:].split(":"))
    for year in range(written.year + 1, written.year - 5, -1):  # five years hold a 29th of February
        try:
            moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        except ValueError:
            continue
        if moment <= written + timedelta(days=1):
            return moment.astimezone(UTC).isoformat()
    return None


def _structured(data: str) -> str:
    elements = {
        found[1]: {name: _unescaped(value) for name, value in _PARAMETER.findall(found[2])}
        for found in _ELEMENT.finditer(data)
    }
    return msgspec.json.encode(elements).decode()


def _unescaped(text: str) -> str:
    """Without the signs before quotes and the like; others, as of a path or a byte that is no text, stay."""
    if "\\" not in text:
        return text
    return re.sub(r"\\([\"\\\]ntr])", lambda found: {"n": "\n", "t": "\t", "r": "\r"}.get(found[1], found[1]), text)
