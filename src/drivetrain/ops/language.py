"""Which language a text is written in, by its commonest words and by pieces of words that few languages have.

A word counts for every language whose list it is on, and the more the fewer these are. A text too short, of no known
language or of two as much alike has none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

_LOOKED_AT = 20_000
"""Letters at the beginning of a text; more of it says nothing new."""
_ENOUGH, _AHEAD = 2.0, 1.25
"""What a language must reach at least, and how many times the next one's."""
_WORDS: Mapping[str, str] = {
    "en": "the of and to in is that for it with as was on are be this by have from or an they which you were their "
    "has we your please not will would been can our at if all but his her she he what when there out up about "
    "who them so dear regards thank total date invoice",
    "de": "der die das und ist den von zu mit sich des auf für im dem nicht ein eine als auch es an werden aus er "
    "hat dass sie nach wird bei einer um am sind noch wie einem über so zum war haben nur oder aber vor zur "
    "bis wir ich ihre ihnen uns bitte sehr geehrte grüßen rechnung betrag datum mehr durch kann",
    "fr": "le la les des et est en un une du que pour dans qui sur au par pas plus avec ce il sont ne se aux nous "
    "vous votre notre cette mais ou où être été ont leur elle ces comme tout sans très madame monsieur "
    "veuillez merci facture montant date je d l qu c",
    "es": "el la los las de que y en un una es del por con para se no su al lo como más pero sus le ya o este sí "
    "porque esta entre cuando muy sin sobre también me hasta hay donde han fue usted nuestra nuestro estimado "
    "gracias factura importe fecha son está",
    "it": "il lo la gli le di che e è un una in del della dei delle per con non si da al dal nel sono più come "
    "anche ma alla ha questo questa o se ci i essere stato nella dalla molto loro gentile grazie fattura "
    "importo data vostra nostra egregio suo sua",
    "nl": "de het een en van is dat op te in voor met zijn niet aan er om ook als maar bij uit door naar heeft dan "
    "nog wordt worden wij u uw ons onze deze dit was hebben of over kan geachte dank factuur bedrag datum zij "
    "meer al geen",
    "pt": "o a os as de que e do da em um uma para com não é no na por mais dos das se como mas ao foi ele ela seu "
    "sua ou quando muito nos já eu também só pelo pela até isso são você nossa nosso prezado obrigado fatura "
    "valor data às está",
    "da": "og i at det er en til på som for de med af den der ikke et har jeg om vi var han men fra kan skal sig så "
    "ved eller også efter hvor blev deres dette os din venlig hilsen faktura beløb dato mere",
    "sv": "och i att det är en på som för av med den till inte ett har om jag vi var han men från kan ska sig så "
    "vid eller också efter där blev deras detta oss din vänliga hälsningar faktura belopp datum mer de",
    "pl": "i w na z się nie do to jest że o jak po co a od za ale przez tak dla są ich oraz który która które być "
    "tylko czy może jego został pan pani proszę dziękuję faktura kwota data przy już tym",
}
_PIECES: Mapping[str, str] = {
    "en": "ing$ tion$ ness$ ould$ ght wh th$",
    "de": "ß ung$ keit$ heit$ lich$ sch$ cht$",
    "fr": "œ ê û î ë ù eux$ tion$ aux$ ment$ oir$",
    "es": "ñ ¿ ¡ ción$ dad$ ciones$ mente$",
    "it": "ì ò zione$ zioni$ ità$ gli mente$",
    "nl": "ij heid$ lijk$ oor aar ee",
    "pt": "ã õ ção$ ções$ dade$ mente$ nh",
    "da": "ø æ hed$",
    "sv": "ningen$ skap$ ck",
    "pl": "ł ą ę ś ż ź ć ń ego$ sz cz",
}
"""Pieces of words, and with ``$`` their ends, that few of these languages have."""
_PIECE = 0.4
"""How much a piece counts beside a word that only one language has."""
_TOKEN = re.compile(r"[^\W\d_]+|[¿¡]")
_PATTERNS = {language: re.compile("|".join(pieces.split())) for language, pieces in _PIECES.items()}


def _weighed() -> dict[str, dict[str, float]]:
    lists = {language: set(words.split()) for language, words in _WORDS.items()}
    known = Counter(word for words in lists.values() for word in words)
    weighed: dict[str, dict[str, float]] = {}
    for language, words in lists.items():
        for word in words:
            weighed.setdefault(word, {})[language] = 1.0 / known[word]
    return weighed


_WEIGHED = _weighed()
LANGUAGES = tuple(_WORDS)
"""Those that are told apart, by their codes of ISO 639-1."""


def language_of(text: str) -> str | None:
    """The code of the language that a text is written in, or None when nobody can tell."""
    points = dict.fromkeys(LANGUAGES, 0.0)
    for word, count in Counter(_TOKEN.findall(text[:_LOOKED_AT].lower())).items():
        for language, weight in _WEIGHED.get(word, {}).items():
            points[language] += weight * count
        for language, pattern in _PATTERNS.items():
            if pattern.search(word):
                points[language] += _PIECE * count
    (most, best), (next_most, _) = sorted(((one, language) for language, one in points.items()), reverse=True)[:2]
    return best if most >= _ENOUGH and most >= _AHEAD * next_most else None
