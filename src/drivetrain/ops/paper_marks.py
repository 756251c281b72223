"""What a tagger sees of the words of a document: their letters, their neighbours on the page, and what the rules found.

Words that say what a number is (`Total`, `Gesamtbetrag`, `Importe`) are seen as what they mean, so that a tagger knows
them in languages and layouts that it did not learn from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from drivetrain.core.papers import Block, Paper
from drivetrain.ops.fields import Field

_MEANINGS: Mapping[str, str] = {
    "total": "total totale gesamt gesamtbetrag gesamtsumme rechnungsbetrag endbetrag summe importe montant totaal "
    "totaalbedrag ttc brutto bruttobetrag amount payable zahlbetrag valor à payer dovuto saldo balance",
    "part": "subtotal zwischensumme nettobetrag netto net sous-total ht imponibile base subtotaal tussentotaal "
    "nettobedrag tax vat mwst ust ust. tva iva btw steuer mehrwertsteuer umsatzsteuer impuesto discount rabatt",
    "due": "due fällig fälligkeit fälligkeitsdatum zahlbar échéance echeance vencimiento scadenza vervaldatum vervalt "
    "before bis avant entro vóór until vence pagamento zahlungsziel",
    "date": "date datum data fecha issued ausgestellt rechnungsdatum factuurdatum emisión emissione émission dated "
    "invoice-date belegdatum",
    "number": "no no. nr nr. number nummer numéro numero número n° nº rechnungsnummer factuurnummer reference ref ref. "
    "invoice rechnung facture factura fattura factuur fatura",
    "to": "to an à a bill billed customer kunde client cliente klant empfänger destinataire destinatario recipient "
    "sold ship aan para per facturé adressé rechnungsempfänger spett.le",
    "from": "from von de da van supplier lieferant fournisseur proveedor fornitore leverancier seller verkäufer "
    "absender expéditeur vendor issuer",
    "company": "gmbh ag kg ohg ug ltd limited plc inc inc. llc corp corp. sarl sas sa s.a. s.a.s. eurl srl s.r.l. spa "
    "s.p.a. bv b.v. nv n.v. sl s.l. lda ab oy aps as a/s e.v. & co co. company",
}  # fmt: skip
_MEANING = {word: meaning for meaning, words in _MEANINGS.items() for word in words.split()}
_DIGIT = re.compile(r"\d")
_EDGES = " \t.,:;()[]#*\"'"
_FAR = 60
"""So many blocks back the one above is looked for."""


@dataclass(frozen=True)
class Token:
    """A word of a document at ``text[start:end]`` of it, ``at`` its place in block number ``block``."""

    text: str
    start: int
    end: int
    block: int
    at: int


class PaperMarks:
    """The words of a document and what is seen of each."""

    def __init__(self, paper: Paper, fields: Sequence[Field]) -> None:
        self._blocks = list(_placed(paper))
        self.tokens = tuple(_tokens(self._blocks))
        self._ruled = _ruled(self.tokens, fields)
        self._ranks = _ranks(fields)
        self._above, self._left = _neighbours(self._blocks)
        companies = [at for at in range(len(self._blocks)) if "company" in self._meanings(at)]
        self._companies = {block: min(rank, 3) for rank, block in enumerate(companies)}

    def seen(self) -> list[list[str]]:
        """The marks of each word."""
        return [self._marks(at) for at in range(len(self.tokens))]

    def _marks(self, at: int) -> list[str]:
        token = self.tokens[at]
        place = self._blocks[token.block]
        word = _plain(token.text)
        found = [f"w={word}", f"shape={_shape(token.text)}", f"end={word[-3:]}", *self._ranks.get(self._ruled[at], ())]
        kind = self._kind(at)
        found += [f"rule={kind}", f"at={min(token.at, 3)}", f"last={token.at == place.words - 1}"]
        found += [f"where={place.where}", f"first={min(place.line, 6)}", f"rule,where={kind},{place.where}"]
        for step in (-2, -1, 1, 2):
            near = self.tokens[at + step] if 0 <= at + step < len(self.tokens) else None
            same = near is not None and near.block == token.block
            said = _plain(near.text) if near is not None and same else "|"
            found += [f"w{step}={said}", f"m{step}={_MEANING.get(said, '')}", f"rule{step}={self._kind(at + step)}"]
        before = self._meanings(token.block, token.at)
        above = self._of(self._above, token)
        for name, meanings in (("before", before), ("left", self._of(self._left, token)), ("above", above)):
            found += [f"{name}={meaning}" for meaning in meanings]
            found += [f"{name},rule={meaning},{kind}" for meaning in meanings]
            found.append(f"{name},all={'+'.join(sorted(meanings))},{kind}")
        found += [f"inside={meaning}" for meaning in self._meanings(token.block)]
        if (company := self._companies.get(token.block)) is not None:
            past = "company" in before  # what follows the legal form is no name any more
            found += [f"company={company},{past}", f"company,above={company},{'+'.join(sorted(above))},{past}"]
        return found

    def _kind(self, at: int) -> str:
        """What the rules say a word is; of the first word of a field with a mark."""
        if not 0 <= at < len(self.tokens) or self._ruled[at] is None:
            return ""
        field = self._ruled[at]
        begins = at == 0 or self._ruled[at - 1] is not field
        assert field is not None
        return f"{field.kind}{'>' if begins else ''}"

    def _of(self, neighbours: Mapping[int, int], token: Token) -> frozenset[str]:
        other = neighbours.get(token.block)
        return frozenset({"nothing"}) if other is None else self._meanings(other)

    def _meanings(self, block: int, end: int | None = None) -> frozenset[str]:
        words = self._blocks[block].block.text.split(" ")[:end]
        return frozenset(_MEANING[plain] for word in words if (plain := _plain(word)) in _MEANING)


@dataclass(frozen=True)
class _Place:
    """A block where it stands: its start in the document's text, its page, and a rough place on that."""

    block: Block
    start: int
    page: int
    where: str
    line: int
    words: int


def _placed(paper: Paper) -> Iterator[_Place]:
    lines = {
        number: max((block.line for block in page.blocks), default=0) + 1 for number, page in enumerate(paper.pages, 1)
    }
    for number, start, block in paper.placed():
        page = paper.pages[number - 1]
        across, down = "", block.line / lines[number]
        if block.boxes and page.width > 0 and page.height > 0:
            across = str(min(2, int(3 * block.boxes[0].left / page.width)))
            down = block.boxes[0].top / page.height
        first = "first" if number == 1 else "later"
        yield _Place(
            block,
            start,
            number,
            f"{first}{across}:{min(4, max(0, int(5 * down)))}",
            block.line,
            block.text.count(" ") + 1,
        )


def _tokens(places: Sequence[_Place]) -> Iterator[Token]:
    for number, place in enumerate(places):
        start = place.start
        for at, word in enumerate(place.block.text.split(" ")):
            yield Token(word, start, start + len(word), number, at)
            start += len(word) + 1


def _ruled(tokens: Sequence[Token], fields: Sequence[Field]) -> list[Field | None]:
    """The field that each word is a part of."""
    found: list[Field | None] = []
    waiting = iter(fields)
    field = next(waiting, None)
    for token in tokens:
        while field is not None and field.end <= token.start:
            field = next(waiting, None)
        found.append(field if field is not None and field.start < token.end else None)
    return found


def _ranks(fields: Sequence[Field]) -> dict[Field | None, tuple[str, ...]]:
    """Of the amounts of a document the largest and the last, of its dates the first, last, earliest and latest."""
    ranks: dict[Field | None, tuple[str, ...]] = {}
    amounts = [field for field in fields if field.kind == "amount"]
    days = [field for field in fields if field.kind == "date"]
    largest = max((_number(field) for field in amounts), default=None)
    values = [field.value for field in days]
    for field in amounts:
        is_most, is_last = _number(field) == largest, field is amounts[-1]
        ranks[field] = (f"largest={is_most}", f"last amount={is_last}", f"largest,last={is_most},{is_last}")
    for field in days:
        ranks[field] = (
            f"first date={field.value == values[0]}", f"last date={field.value == values[-1]}",
            f"earliest={field.value == min(values)}", f"latest={field.value == max(values)}",
        )  # fmt: skip
    return ranks


def _number(field: Field) -> Decimal:
    return Decimal(field.value.partition(" ")[0])


def _neighbours(places: Sequence[_Place]) -> tuple[dict[int, int], dict[int, int]]:
    """The block above each block, and the one left of it on its line."""
    above: dict[int, int] = {}
    left: dict[int, int] = {}
    for number, place in enumerate(places):
        before = [other for other in range(max(0, number - _FAR), number) if places[other].page == place.page]
        if before and places[before[-1]].line == place.line:
            left[number] = before[-1]
        higher = [
            other for other in before if places[other].line < place.line and _is_over(places[other].block, place.block)
        ]
        if higher:
            above[number] = higher[-1]
    return above, left


def _is_over(one: Block, other: Block) -> bool:
    if not one.boxes or not other.boxes:
        return True
    return one.boxes[0].left < other.boxes[-1].right and other.boxes[0].left < one.boxes[-1].right


def _plain(word: str) -> str:
    return _DIGIT.sub("0", word.strip(_EDGES).lower())[:30]


def _shape(word: str) -> str:
    """`Xx0-` for `Ab12-34`: letters and digits as signs that stand for them, each once in a row."""
    shape = ""
    for sign in word[:30]:
        kind = "X" if sign.isupper() else "x" if sign.islower() else "0" if sign.isdigit() else sign
        shape += kind if not shape.endswith(kind) else ""
    return shape[:8]
