"""Bills made for tests, with the truth about them: seven layouts, five languages, seeded."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from tests.papers.written import At, pdf

LAYOUTS = ("table", "left", "right", "boxed", "letter", "mirrored", "stacked")
LANGUAGES = ("en", "de", "fr", "es", "it")
_WORDS = {
    "en": "Invoice|Invoice number|Date|Due date|Subtotal|VAT|Total|Bill to|Thank you for your order.",
    "de": "Rechnung|Rechnungsnummer|Datum|Fällig am|Nettobetrag|MwSt|Gesamtbetrag|Kunde|Vielen Dank für Ihren Auftrag.",
    "fr": "Facture|Numéro de facture|Date|Échéance|Total HT|TVA|Total TTC|Client|Merci de votre commande.",
    "es": "Factura|Número de factura|Fecha|Vencimiento|Base|IVA|Total|Cliente|Gracias por su pedido.",
    "it": "Fattura|Numero fattura|Data|Scadenza|Imponibile|IVA|Totale|Cliente|Grazie per il vostro ordine.",
}
_NAMES = [
    *("Alder", "Birch", "Cedar", "Dorn", "Eiche", "Falke", "Garten", "Hansen", "Iris", "Jansen"),
    *("Keller", "Lindner", "Moreau", "Nardi", "Ortiz", "Pascal", "Quint", "Rossi", "Sander", "Torres"),
]
_TRADES = ["Print", "Media", "Systems", "Logistik", "Foods", "Energy", "Design", "Transport", "Software", "Bau"]
_FORMS = {"en": "Ltd", "de": "GmbH", "fr": "SARL", "es": "S.L.", "it": "S.r.l."}
_GOODS = ["Paper", "Toner", "Cable", "Chair", "Lamp", "Desk", "Service", "Licence", "Screw", "Panel"]
_STREETS = {
    "en": "{} Mill Road",
    "de": "Hauptstraße {}",
    "fr": "{} rue Neuve",
    "es": "Calle Mayor {}",
    "it": "Via Roma {}",
}


@dataclass(frozen=True)
class Bill:
    """A bill as a PDF, and what stands in it by kind of field, as it is written there."""

    content: bytes
    truth: Mapping[str, str]
    layout: str
    language: str


def bills(layouts: tuple[str, ...], count: int, seed: int) -> list[Bill]:
    """So many bills in turn of these layouts, in languages as they fall."""
    chance = random.Random(seed)
    return [_bill(layouts[at % len(layouts)], chance.choice(LANGUAGES), chance) for at in range(count)]


def _bill(layout: str, language: str, chance: random.Random) -> Bill:
    title, number_, date_, due_, net_, tax_, total_, to_, thanks = _WORDS[language].split("|")
    day = date(2022, 1, 1) + timedelta(chance.randrange(900))
    items = [
        (chance.choice(_GOODS), chance.randrange(1, 20), chance.randrange(100, 90_000))
        for _ in range(chance.randrange(1, 6))
    ]
    net = sum(count * price for _, count, price in items)
    tax = net * 19 // 100
    euro = chance.choice(("EUR", "€"))

    def money(cents: int) -> str:
        return f"{_number(cents, language)} {euro}"

    truth = {
        "supplier": f"{chance.choice(_NAMES)} {chance.choice(_TRADES)} {_FORMS[language]}",
        "customer": f"{chance.choice(_NAMES)} {chance.choice(_TRADES)} {_FORMS[language]}",
        "number": f"{chance.choice('ABR')}{day:%y}-{chance.randrange(1000, 99999)}",
        "issued": _day(day, language),
        "due": _day(day + timedelta(chance.choice((14, 30, 45))), language),
        "total": money(net + tax),
    }
    head = [(number_, truth["number"]), (date_, truth["issued"]), (due_, truth["due"])]
    chance.shuffle(head)
    sums = [(net_, money(net)), (f"{tax_} 19 %", money(tax)), (total_, truth["total"])]
    streets = [_STREETS[language].format(chance.randrange(1, 99)) for _ in range(2)]
    lines = [(name, str(count), money(price), money(count * price)) for name, count, price in items]
    drawn = _DRAWN[layout](truth, (title, to_, thanks), streets, head, lines, sums)
    jitter = chance.randrange(-6, 7)
    return Bill(pdf([At(at.x + jitter, at.y + jitter, at.text, at.size) for at in drawn]), truth, layout, language)


def _table(truth, words, streets, head, lines, sums):
    yield from (At(50, 50, truth["supplier"], 14), At(50, 70, streets[0]), At(400, 50, words[0], 16))
    yield from (At(50, 120, f"{words[1]}:"), At(50, 135, truth["customer"]), At(50, 150, streets[1]))
    for at, (label, value) in enumerate(head):
        yield from (At(330, 120 + 15 * at, f"{label}:"), At(450, 120 + 15 * at, value))
    yield from _items(lines, 50, 230)
    yield from _sums(sums, 330, 450, 420)


def _left(truth, words, streets, head, lines, sums):
    yield from (At(50, 40, words[0], 18), At(50, 70, truth["supplier"]), At(50, 84, streets[0]))
    for at, (label, value) in enumerate(head):
        yield At(50, 120 + 15 * at, f"{label} {value}")
    yield from (At(50, 190, words[1]), At(50, 205, truth["customer"]), At(50, 220, streets[1]))
    yield from _items(lines, 50, 280)
    yield from _sums(sums, 50, 200, 440)


def _right(truth, words, streets, head, lines, sums):
    yield from (At(350, 40, truth["supplier"], 12), At(350, 58, streets[0]))
    yield from (At(50, 110, truth["customer"]), At(50, 124, streets[1]), At(50, 170, words[0], 16))
    for at, (label, value) in enumerate(head):
        yield from (At(50 + 170 * at, 200, label), At(50 + 170 * at, 214, value))
    yield from _items(lines, 50, 270)
    yield from _sums(sums, 300, 460, 430)


def _boxed(truth, words, streets, head, lines, sums):
    yield from (
        At(50, 40, truth["supplier"]),
        At(300, 40, f"{words[1]}:"),
        At(300, 55, truth["customer"]),
        At(300, 69, streets[1]),
    )
    yield from (At(50, 55, streets[0]), At(230, 110, words[0], 16))
    for at, (label, value) in enumerate(head):
        yield from (At(50, 150 + 18 * at, label), At(220, 150 + 18 * at, value))
    yield from _items(lines, 50, 260)
    yield from _sums(sums, 50, 220, 420)


def _letter(truth, words, streets, head, lines, sums):
    yield from (
        At(50, 40, f"{truth['supplier']} - {streets[0]}", 8),
        At(50, 90, truth["customer"]),
        At(50, 104, streets[1]),
    )
    yield At(50, 160, f"{words[0]}", 14)
    for at, (label, value) in enumerate(head):
        yield At(50, 190 + 14 * at, f"{label}: {value}")
    yield from _items(lines, 50, 260)
    for at, (label, value) in enumerate(sums):
        yield At(50, 400 + 15 * at, f"{label}: {value}")
    yield At(50, 480, words[2])


def _mirrored(truth, words, streets, head, lines, sums):
    yield from (At(50, 40, words[0], 16), At(380, 40, truth["supplier"], 12), At(380, 56, streets[0]))
    for at, (label, value) in enumerate(head):
        yield from (At(50, 90 + 15 * at, f"{label}:"), At(170, 90 + 15 * at, value))
    yield from (At(380, 90, f"{words[1]}:"), At(380, 105, truth["customer"]), At(380, 120, streets[1]))
    yield from _items(lines, 50, 240)
    yield from _sums(sums, 350, 470, 410)
    yield At(50, 500, words[2])


def _stacked(truth, words, streets, head, lines, sums):
    yield from (At(220, 40, truth["supplier"], 14), At(220, 58, streets[0]), At(50, 100, words[0], 16))
    for at, (label, value) in enumerate(head):
        yield from (At(50, 130 + 30 * at, label, 8), At(50, 141 + 30 * at, value))
    yield from (At(300, 130, words[1], 8), At(300, 141, truth["customer"]), At(300, 155, streets[1]))
    yield from _items(lines, 50, 280)
    yield from _sums(sums, 50, 400, 430)


def _items(lines, x, y):
    for at, (name, count, price, whole) in enumerate(lines):
        yield from (At(x, y + 15 * at, name), At(x + 180, y + 15 * at, count))
        yield from (At(x + 260, y + 15 * at, price), At(x + 400, y + 15 * at, whole))


def _sums(sums, x, value_x, y):
    for at, (label, value) in enumerate(sums):
        yield from (At(x, y + 15 * at, label), At(value_x, y + 15 * at, value))


_DRAWN = {
    "table": _table, "left": _left, "right": _right, "boxed": _boxed, "letter": _letter, "mirrored": _mirrored,
    "stacked": _stacked,
}  # fmt: skip


def _number(cents: int, language: str) -> str:
    english = f"{cents // 100:,}.{cents % 100:02}"
    if language == "en":
        return english
    return english.translate(str.maketrans({",": " ", ".": ","} if language == "fr" else {",": ".", ".": ","}))


def _day(day: date, language: str) -> str:
    if language == "en":
        return f"{day.day} {day:%B} {day.year}"
    return f"{day:%d.%m.%Y}" if language == "de" else f"{day:%d/%m/%Y}"
