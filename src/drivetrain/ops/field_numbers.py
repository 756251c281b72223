"""Numbers of invoices by the words before them, and numbers for value added tax by their check digits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

_LABEL = re.compile(
    r"\b(?:invoice|rechnungs?|facture|factura|fattura|factuur|fatura|faktura|bill)[ -]?"
    r"(?:number|no|nr|num|nummer|numéro|numero|número|n[°ºo]|#)?[ \t]*[.:#°º]{0,2}[ \t]*"
    r"(?=[^\s]*\d)(?P<number>(?!\d{1,2}[./]\d{1,2}[./])[A-Z0-9][A-Z0-9/._-]{2,24}(?<![._/-]))",
    re.IGNORECASE,
)
_VAT = re.compile(r"(?<![A-Za-z0-9])(?P<land>AT|BE|DE|DK|FR|GB|IT|LU|NL|PL|PT)[ ]?(?P<rest>[A-Z0-9][A-Z0-9 .]{6,14})")


def invoice_numbers(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and value of what follows a word such as `Invoice no.` and has a digit in it."""
    for found in _LABEL.finditer(text):
        yield found.start("number"), found.end("number"), found["number"]


def vat_numbers(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and value of every number for value added tax of these countries whose check digits agree."""
    for found in _VAT.finditer(text):
        rest = found["rest"]
        while rest:
            bare = re.sub(r"[ .]", "", rest)
            if is_vat_number(found["land"] + bare):
                yield found.start(), found.start("rest") + len(rest), found["land"] + bare
                break
            rest = rest[:-1]


def is_vat_number(number: str) -> bool:
    """Whether the check digits of a number with its country in front agree (rules of the countries' tax offices)."""
    rule = _RULES.get(number[:2])
    return rule is not None and rule(number[2:])


def _weighed(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _luhn_sum(digits: str) -> int:
    return sum(int(d) if at % 2 == 0 else sum(divmod(2 * int(d), 10)) for at, d in enumerate(digits))


def _austria(rest: str) -> bool:
    if not re.fullmatch(r"U\d{8}", rest):
        return False
    return (10 - (_luhn_sum(rest[1:8]) + 4) % 10) % 10 == int(rest[8])


def _belgium(rest: str) -> bool:
    return re.fullmatch(r"[01]\d{9}", rest) is not None and 97 - int(rest[:8]) % 97 == int(rest[8:])


def _germany(rest: str) -> bool:
    """ISO 7064 mod 11,10."""
    if not re.fullmatch(r"[1-9]\d{8}", rest):
        return False
    product = 10
    for digit in rest[:8]:
        product = 2 * ((int(digit) + product) % 10 or 10) % 11
    return (11 - product) % 10 == int(rest[8])


def _denmark(rest: str) -> bool:
    return re.fullmatch(r"[1-9]\d{7}", rest) is not None and _weighed(rest, (2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def _france(rest: str) -> bool:
    if not re.fullmatch(r"\d{11}", rest):
        return False
    return (12 + 3 * (int(rest[2:]) % 97)) % 97 == int(rest[:2])


def _britain(rest: str) -> bool:
    if not re.fullmatch(r"\d{9}", rest):
        return False
    total = _weighed(rest, (8, 7, 6, 5, 4, 3, 2)) + int(rest[7:])
    return total % 97 == 0 or (total + 55) % 97 == 0


def _italy(rest: str) -> bool:
    return re.fullmatch(r"\d{11}", rest) is not None and _luhn_sum(rest) % 10 == 0 and rest != "0" * 11


def _luxembourg(rest: str) -> bool:
    return re.fullmatch(r"\d{8}", rest) is not None and int(rest[:6]) % 89 == int(rest[6:])


def _netherlands(rest: str) -> bool:
    """Mod 11 of companies, or mod 97 of the whole, which persons have since 2020."""
    if not re.fullmatch(r"\d{9}B\d\d", rest):
        return False
    whole = int("".join(str(int(sign, 36)) for sign in "NL" + rest))
    return _weighed(rest, (9, 8, 7, 6, 5, 4, 3, 2)) % 11 == int(rest[8]) or whole % 97 == 1


def _poland(rest: str) -> bool:
    return re.fullmatch(r"\d{10}", rest) is not None and _weighed(rest, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == int(
        rest[9]
    )


def _portugal(rest: str) -> bool:
    if not re.fullmatch(r"[1-9]\d{8}", rest):
        return False
    check = 11 - _weighed(rest, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return (0 if check > 9 else check) == int(rest[8])


_RULES: Mapping[str, Callable[[str], bool]] = {
    "AT": _austria, "BE": _belgium, "DE": _germany, "DK": _denmark, "FR": _france, "GB": _britain, "IT": _italy,
    "LU": _luxembourg, "NL": _netherlands, "PL": _poland, "PT": _portugal,
}  # fmt: skip
