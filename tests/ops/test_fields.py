"""Fields by rules: dates and amounts as they are written in Europe and America, numbers by their check digits."""

import time
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ops.field_numbers import is_vat_number
from drivetrain.ops.fields import fields_of


def found(text, kind, **options):
    return [field.value for field in fields_of(text, **options) if field.kind == kind]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("on 2024-03-05.", "2024-03-05"),
        ("am 05.03.2024", "2024-03-05"),
        ("am 5.3.24,", "2024-03-05"),
        ("5. März 2024", "2024-03-05"),
        ("le 1er mars 2024", "2024-03-01"),
        ("5 mars 2024", "2024-03-05"),
        ("5 de marzo de 2024", "2024-03-05"),
        ("5 marzo 2024", "2024-03-05"),
        ("5 maart 2024", "2024-03-05"),
        ("5 de março de 2024", "2024-03-05"),
        ("March 5, 2024", "2024-03-05"),
        ("5th of March 2024", "2024-03-05"),
        ("Mar 5th, 2024", "2024-03-05"),
        ("05-Mar-2024", "2024-03-05"),
        ("05/03/2024", "2024-03-05"),
        ("12/25/2024", "2024-12-25"),
        ("2024/03/05", "2024-03-05"),
    ],
)
def test_dates(text, day):
    assert found(text, "date") == [day]


@pytest.mark.parametrize(
    "text", ["31.02.2024", "45/67/2024", "1.2.3", "192.168.10.24", "AB-12-03-2024-X", "2024-13-01"]
)
def test_what_is_no_date(text):
    assert found(text, "date") == []


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("03/04/2024", ["2024-04-03"]),
        ("03/04/2024 and 03/25/2024", ["2024-03-04", "2024-03-25"]),
        ("03/04/2024: $ 5.00", ["2024-03-04"]),
        ("03/04/2024: 5,00 EUR", ["2024-04-03"]),
    ],
)
def test_the_order_of_day_and_month_is_told_by_the_rest(text, days):
    assert found(text, "date") == days
    assert found("03/04/2024", "date", day_order="month_first") == ["2024-03-04"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Total: 1,234.50 USD", "1234.50 USD"),
        ("1.234,50 €", "1234.50 EUR"),
        ("€ 1.234.567,00", "1234567.00 EUR"),
        ("1 234,50 EUR", "1234.50 EUR"),
        ("CHF 1'234.50", "1234.50 CHF"),
        ("$12", "12.00 USD"),
        ("EUR 12,-", "12.00 EUR"),
        ("-5,00 EUR", "-5.00 EUR"),
        ("£1,000", "1000.00 GBP"),
        ("sum 99.95", "99.95"),
    ],
)
def test_amounts(text, value):
    assert found(text, "amount") == [value]


@pytest.mark.parametrize("text", ["2024", "12 pieces", "v1.2.3", "10.12.2024", "1,5", "0815-4711"])
def test_what_is_no_amount(text):
    assert found(text, "amount") == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Invoice no. INV-2024/0815", "INV-2024/0815"),
        ("Rechnungsnummer: 4711-A", "4711-A"),
        ("Numéro de facture F2024-12, le", "F2024-12"),
        ("Facture n° F2024-12", "F2024-12"),
        ("Factuurnummer 20240815.", "20240815"),
        ("Invoice date 05.03.2024", None),
        ("the invoice was late", None),
    ],
)
def test_numbers_of_invoices(text, value):
    assert found(text, "invoice_number") == ([] if value is None else [value])


@pytest.mark.parametrize(
    "number",
    [
        "ATU13585627", "BE0428759497", "DE136695976", "DK13585628", "FR83404833048", "GB980780684", "IT00743110157",
        "LU15027442", "NL004495445B01", "PL8567346215", "PT501964843",
    ],
)  # fmt: skip
def test_numbers_for_value_added_tax_by_their_check_digits(number):
    assert is_vat_number(number)
    assert found(f"VAT: {number}, paid", "vat_number") == [number]
    digits = [at for at, sign in enumerate(number) if sign.isdigit() and at > 2]
    at = digits[3]
    wrong = f"{number[:at]}{(int(number[at]) + 1) % 10}{number[at + 1 :]}"
    assert not is_vat_number(wrong)


def test_accounts_and_addresses():
    text = "IBAN DE89 3702 0044 0532 0130 00, Mail: Anna@Example.com"
    assert found(text, "iban") == []  # its check digits do not agree
    text = text.replace("3702 0044", "3704 0044")
    assert found(text, "iban") == ["DE89370400440532013000"]
    assert found(text, "email") == ["anna@example.com"]


@given(
    st.dates(date(1950, 1, 1), date(2049, 12, 31)), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d %B %Y", "%B %d, %Y"])
)
def test_every_day_is_read_as_it_was_written(day, form):
    assert found(f"x {day.strftime(form)} y", "date") == [day.isoformat()]


@given(st.integers(0, 10**11), st.sampled_from(["{:,.2f} EUR", "EUR {:,.2f}", "{:.2f}"]))
def test_every_amount_is_read_as_it_was_written(cents, form):
    values = found(form.format(cents / 100), "amount")
    assert [value.partition(" ")[0] for value in values] == [f"{cents / 100:.2f}"]


@given(st.text(alphabet="0123456789.,/- €$ABDEmarz\n\t", max_size=80))
def test_any_text_gives_fields_in_order_and_apart(text):
    fields = fields_of(text)
    assert all(text[field.start : field.end] == field.written for field in fields)
    assert all(one.end <= other.start for one, other in pairwise(fields))


@pytest.mark.parametrize("piece", ["1.", "1,234.50 EUR ", "5. ", "FR1 2", "Invoice no. ", "12/", "DE", "3 de "])
def test_a_long_text_takes_no_quadratic_time(piece):
    started = time.process_time()
    fields_of(piece * (40_000 // len(piece)))
    assert time.process_time() - started < 10


def test_days_between_are_no_mistake():
    day = date(2024, 2, 28)
    text = " ".join((day + timedelta(step)).strftime("%d/%m/%Y") for step in range(3))
    assert found(text, "date") == ["2024-02-28", "2024-02-29", "2024-03-01"]
