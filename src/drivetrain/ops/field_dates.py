"""Dates as they are written in Europe and America, with months as words in seven languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Literal

DayOrder = Literal["auto", "day_first", "month_first"]
_MONTHS = (
    "january januar janvier enero gennaio januari janeiro jan jän janv ene gen jän. jänner",
    "february februar février fevrier febrero febbraio februari fevereiro feb feber févr fév fev",
    "march märz maerz mars marzo maart março marco mar mär mrz mrt",
    "april avril abril aprile apr avr abr",
    "may mai mayo maggio mei maio mag",
    "june juni juin junio giugno junho jun giu",
    "july juli juillet julio luglio julho jul juil lug",
    "august août aout agosto augustus aug ago set.",
    "september septembre septiembre settembre setembro sep sept set",
    "october oktober octobre octubre ottobre outubro oct okt ott out",
    "november novembre noviembre novembro nov",
    "december dezember décembre decembre diciembre dicembre dezembro dec dez déc dic",
)
_MONTH = {word.rstrip("."): number for number, words in enumerate(_MONTHS, start=1) for word in words.split()}
_WORD = "|".join(sorted(map(re.escape, _MONTH), key=len, reverse=True))
_EDGE, _END = r"(?<![\w./-])", r"(?![\w/-]|\.\d)"
_ISO = re.compile(rf"{_EDGE}((?:19|20)\d\d)([-./])(\d\d?)\2(\d\d?){_END}", re.ASCII)
_NUMBERS = re.compile(rf"{_EDGE}(\d\d?)([-./])[ ]?(\d\d?)\2[ ]?((?:19|20)?\d\d){_END}", re.ASCII)
_DAY_WORD = re.compile(
    rf"(?<![\w./-])(\d\d?)(?:st|nd|rd|th|er|º|°|\.)?[ -]?(?:de |of )?[ ]?({_WORD})\b\.?,?"
    rf"[ -]?(?:de |del )?[ ]?((?:19|20)\d\d){_END}",
    re.IGNORECASE,
)
_WORD_DAY = re.compile(rf"(?<!\w)({_WORD})\.? (\d\d?)(?:st|nd|rd|th)?,? ((?:19|20)\d\d){_END}", re.IGNORECASE)


def dates(text: str, order: DayOrder = "auto") -> Iterator[tuple[int, int, str]]:
    """Start, end and ISO 8601 of every date; what is no day of a calendar is none."""
    for found in _ISO.finditer(text):
        yield from _told(found, found[1], found[3], found[4])
    for found in _DAY_WORD.finditer(text):
        yield from _told(found, found[3], _MONTH[found[2].lower()], found[1])
    for found in _WORD_DAY.finditer(text):
        yield from _told(found, found[3], _MONTH[found[1].lower()], found[2])
    numbers = list(_NUMBERS.finditer(text))
    month_first = order == "month_first" or (order == "auto" and _is_month_first(text, numbers))
    for found in numbers:
        first, second = (found[1], found[3]) if not (month_first and found[2] != ".") else (found[3], found[1])
        year = found[4] if len(found[4]) == 4 else f"20{found[4]}"
        told = list(_told(found, year, second, first)) or list(_told(found, year, first, second))
        yield from told


def _is_month_first(text: str, numbers: list[re.Match[str]]) -> bool:
    """By dates that can be read in one way only; without any, by dollars."""
    parted = [(int(found[1]), int(found[3])) for found in numbers if found[2] != "."]
    day_first, month_first = (sum(pair[at] > 12 for pair in parted) for at in (0, 1))
    if day_first != month_first:
        return month_first > day_first
    return text.count("$") + text.count("USD") > text.count("€") + text.count("EUR")


def _told(found: re.Match[str], year: str | int, month: str | int, day: str | int) -> Iterator[tuple[int, int, str]]:
    try:
        yield found.start(), found.end(), date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return
