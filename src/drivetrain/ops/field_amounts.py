"""Amounts of money: with a currency before or behind, or with two decimals; points and commas either way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

_SIGNS = {
    "€": "EUR",
    "$": "USD",
    "£": "GBP",
    "¥": "JPY",
    "zł": "PLN",
    "R$": "BRL",
    "US$": "USD",
    "kr": "",
    "Fr.": "CHF",
}
_CODES = ["EUR", "USD", "GBP", "CHF", "JPY", "PLN", "SEK", "NOK", "DKK", "CZK", "HUF", "BRL", "CAD", "AUD"]
_CURRENCY = "|".join(re.escape(sign) for sign in sorted([*_SIGNS, *_CODES], key=len, reverse=True))
_GROUPED = r"\d{1,3}(?:(?P<group>[.,'’ \u00a0\u202f])\d{3})(?:(?P=group)\d{3})*"
_NUMBER = rf"(?:{_GROUPED}|\d{{1,12}})(?:[.,](?:\d\d|-+|–))?"
_AMOUNT = re.compile(
    rf"(?<![\w.,/-])(?:(?P<before>{_CURRENCY})[ \u00a0]?)?(?P<minus>[-–−](?=[\d]))?(?P<number>{_NUMBER})"
    rf"(?![\w/]|[.,-]\d)(?:[ \u00a0]?(?P<after>{_CURRENCY})(?!\w))?"
)
_DECIMALS = re.compile(r"[.,]\d\d$")


def amounts(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end, and the value as ``1234.50 EUR``; without a currency only numbers with two decimals."""
    for found in _AMOUNT.finditer(text):
        said = found["before"] or found["after"]
        if said or _DECIMALS.search(found["number"]):
            number = number_of(found["number"])
            sign = "-" if found["minus"] else ""
            code = _SIGNS.get(said, said) if said else ""
            yield found.start(), found.end(), f"{sign}{number} {code}".rstrip()


def number_of(written: str) -> Decimal:
    """A number with points or commas in it: the last of them, before two digits, is that of the decimals."""
    whole, decimals = written, "00"
    if _DECIMALS.search(written):
        whole, decimals = written[:-3], written[-2:]
    digits = re.sub(r"\D", "", re.sub(r"[.,](-+|–)$", "", whole))
    return Decimal(f"{digits}.{decimals}")
