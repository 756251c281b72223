"""Languages are told apart on real sentences, and not on what is no sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ops.language import LANGUAGES, language_of

SENTENCES = {
    "en": [
        "All human beings are born free and equal in dignity and rights.",
        "Please find attached our invoice for the services that were provided in March.",
        "We would be grateful if you could confirm the delivery date by return of post.",
    ],
    "de": [
        "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
        "Bitte überweisen Sie den Betrag bis zum Ende des Monats auf unser Konto.",
        "Hiermit kündige ich den Vertrag fristgerecht und bitte um eine schriftliche Bestätigung.",
    ],
    "fr": [
        "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
        "Nous vous prions de bien vouloir régler cette facture dans un délai de trente jours.",
        "Je vous écris au sujet de la commande que nous avons passée le mois dernier.",
    ],
    "es": [
        "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
        "Le rogamos que nos envíe el importe de la factura antes de la fecha indicada.",
        "Les escribo para informarles de que el pedido no ha llegado todavía.",
    ],
    "it": [
        "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti.",
        "Vi preghiamo di pagare la fattura entro trenta giorni dalla data di emissione.",
        "Con la presente desideriamo informarvi che il contratto è stato rinnovato per un anno.",
    ],
    "nl": [
        "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren.",
        "Wij verzoeken u het bedrag binnen dertig dagen over te maken op onze rekening.",
        "Hierbij bevestigen wij de ontvangst van uw brief en danken u voor het vertrouwen.",
    ],
    "pt": [
        "Todos os seres humanos nascem livres e iguais em dignidade e em direitos.",
        "Solicitamos que o pagamento da fatura seja efetuado até ao final do mês.",
        "Não recebemos ainda a encomenda que foi feita pela nossa empresa em março.",
    ],
    "da": ["Alle mennesker er født frie og lige i værdighed og rettigheder og de bør ikke lide."],
    "sv": ["Alla människor är födda fria och lika i värde och rättigheter och de har förnuft."],
    "pl": ["Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw."],
}


@pytest.mark.parametrize(("language", "sentence"), [(one, text) for one, texts in SENTENCES.items() for text in texts])
def test_real_sentences(language, sentence):
    assert language_of(sentence) == language


@pytest.mark.parametrize("text", ["", "12.03.2024 1.234,50", "x", "Lorem", "Ωραία μέρα σήμερα", "今日は"])
def test_what_says_nothing(text):
    assert language_of(text) is None


@given(st.text())
def test_any_text_has_a_known_language_or_none(text):
    assert language_of(text) in {None, *LANGUAGES}
