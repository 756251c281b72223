"""Personal data in a text: addresses, telephone numbers, accounts and cards, found by pattern and by check digits.

A number that only looks like an account or a card stays: its check digits must agree (IBAN: ISO 13616 with ISO 7064
mod 97-10; cards: ISO/IEC 7812, Luhn). Telephone numbers have no check digits, so that another number may be taken for
one. Names and street addresses are not looked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address


class PersonalKind(StrEnum):
    """What was found; also what stands in the text instead of it."""

    EMAIL = "email"
    IBAN = "iban"
    CARD = "card"
    IP = "ip"
    PHONE = "phone"


@dataclass(frozen=True)
class Found:
    """Personal data at ``text[start:end]``."""

    kind: PersonalKind
    start: int
    end: int


def find(text: str) -> tuple[Found, ...]:
    """All personal data of a text, in order and apart from each other; of what overlaps, the surer kind."""
    taken: list[Found] = []
    for found in _all(text):
        if all(found.end <= other.start or found.start >= other.end for other in taken):
            taken.append(found)
    return tuple(sorted(taken, key=lambda found: found.start))


def mask(text: str) -> str:
    """The text with ``<email>``, ``<card>`` and so on in place of what was found."""
    pieces, end = [], 0
    for found in find(text):
        pieces += [text[end : found.start], f"<{found.kind}>"]
        end = found.end
    return "".join([*pieces, text[end:]])


def is_iban(text: str) -> bool:
    """Whether letters and digits (blanks and hyphens do not count) are an account number whose check digits agree."""
    bare = re.sub(r"[ -]", "", text).upper()
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", bare):
        return False
    return int("".join(str(int(sign, 36)) for sign in bare[4:] + bare[:4])) % 97 == 1


def is_card(text: str) -> bool:
    """Whether 13 to 19 digits (blanks and hyphens do not count), not all the same, end in the digit they must."""
    digits = [int(sign) for sign in re.sub(r"[ -]", "", text)]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = (2 * digit - 9 * (digit > 4) for digit in digits[-2::-2])
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_phone(text: str) -> bool:
    """8 to 15 digits (ITU-T E.164) that are no date, no sum with thousands apart, and not just a number."""
    if _DATE.match(text) or _SUM.fullmatch(text) or not 8 <= sum(map(str.isdigit, text)) <= 15:
        return False
    return text.startswith(("+", "0", "(")) or not text.isdigit()


_DATE = re.compile(r"(?:19|20)[0-9]{2}[-.][0-9]{1,2}[-.][0-9]{1,2}|[0-9]{1,2}[-.][0-9]{1,2}[-.](?:19|20)[0-9]{2}", re.A)
_SUM = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]{1,3}(?: [0-9]{3})+|[0-9]+\.[0-9]+")
_EMAIL = r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
_IBAN = r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])"
_CARD = r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])"
_IP4 = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_IP6 = r"(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9A-Fa-f]{1,4}|:)?"
_PHONE = r"(?<![\w.+-])(?:\+|00)?\(?[0-9](?:[ ().-]{0,2}[0-9]){7,14}(?![\w-])"
_KINDS: tuple[tuple[PersonalKind, re.Pattern[str], Callable[[str], bool] | None], ...] = (
    (PersonalKind.EMAIL, re.compile(_EMAIL), None),
    (PersonalKind.IBAN, re.compile(_IBAN), is_iban),
    (PersonalKind.CARD, re.compile(_CARD), is_card),
    (PersonalKind.IP, re.compile(rf"(?<![\w.:])(?:{_IP4}|{_IP6})(?![\w:]|\.[0-9])"), _is_ip),
    (PersonalKind.PHONE, re.compile(_PHONE, re.ASCII), _is_phone),
)
"""The surer a kind, the earlier."""


def _all(text: str) -> Iterator[Found]:
    for kind, pattern, agrees in _KINDS:
        match = pattern.search(text)
        while match:
            end = match.end() if agrees is None else _longest(match, agrees)
            if end:
                yield Found(kind, match.start(), end)
            match = pattern.search(text, end or match.start() + 1)


def _longest(match: re.Match[str], agrees: Callable[[str], bool]) -> int:
    """Where the longest beginning of the match ends that agrees, group by group: what follows it may be prose; or 0."""
    found = match.group()
    while found:
        if agrees(found):
            return match.start() + len(found)
        found = found[: max(found.rfind(" "), found.rfind("-"), 0)].rstrip(" -")
    return 0
