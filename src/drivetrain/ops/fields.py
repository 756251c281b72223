"""What stands in a text for all to see: dates, amounts, accounts, numbers with check digits, addresses of e-mail.

Rules only: a field is what is written like one and whose check digits agree. Which of the amounts is the total is for
``ops.tagger``.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter

from drivetrain.ops import personal_data
from drivetrain.ops.field_amounts import amounts
from drivetrain.ops.field_dates import DayOrder, dates
from drivetrain.ops.field_numbers import invoice_numbers, vat_numbers


@dataclass(frozen=True)
class Field:
    """Something found at ``text[start:end]``: its kind, its ``value`` written in one way, and as it was ``written``.

    A date is ISO 8601, an amount its number with a point and its currency (ISO 4217) where there is one. ``score``,
    from 0 to 1, is how sure it is; 1 for rules.
    """

    kind: str
    value: str
    written: str
    start: int
    end: int
    score: float = 1.0


Found = tuple[int, int, str]
"""Start, end and value."""
PERSONAL = frozenset({"email", "iban"})
"""Kinds whose value is personal data."""


def fields_of(text: str, day_order: DayOrder = "auto") -> tuple[Field, ...]:
    """All fields of a text, in order and apart from each other; of what overlaps, the surer kind.

    ``day_order`` says how ``03/04/2024`` is meant; ``auto`` looks at the other dates of the text, then takes the day
    first unless amounts are in dollars.
    """
    taken: list[Field] = []
    finders: tuple[tuple[str, Callable[[str], Iterator[Found]]], ...] = (
        ("email", _emails), ("iban", _ibans), ("vat_number", vat_numbers), ("invoice_number", invoice_numbers),
        ("date", lambda text: dates(text, day_order)), ("amount", amounts),
    )  # fmt: skip
    for kind, find in finders:
        for start, end, value in find(text):
            at = bisect(taken, start, key=attrgetter("start"))
            if (at == 0 or taken[at - 1].end <= start) and (at == len(taken) or end <= taken[at].start):
                taken.insert(at, Field(kind, value, text[start:end], start, end))
    return tuple(taken)


def _emails(text: str) -> Iterator[Found]:
    for found in personal_data.find(text):
        if found.kind is personal_data.PersonalKind.EMAIL:
            yield found.start, found.end, text[found.start : found.end].lower()


def _ibans(text: str) -> Iterator[Found]:
    for found in personal_data.find(text):
        if found.kind is personal_data.PersonalKind.IBAN:
            yield found.start, found.end, re.sub(r"[\s-]", "", text[found.start : found.end]).upper()
