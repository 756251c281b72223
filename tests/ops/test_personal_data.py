"""Personal data is found where it is, and numbers that are something else stay."""

import time
from ipaddress import ip_address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ops.personal_data import find, is_card, is_iban, mask

MASKED = [
    ("write to anna.maria+shop@mail.example.co.uk, please", "write to <email>, please"),
    ("DE89 3704 0044 0532 0130 00 is mine", "<iban> is mine"),
    ("my iban GB82WEST12345698765432.", "my iban <iban>."),
    ("card 4111 1111 1111 1111 12/27", "card <card> 12/27"),
    ("12 4111-1111-1111-1111", "12 <card>"),
    ("from 192.168.0.17 and fe80::1ff:fe23:4567:890a", "from <ip> and <ip>"),
    ("call +49 (0)30 1234567 or 020 7946 0018 or 415-555-2671", "call <phone> or <phone> or <phone>"),
    ("a@b.de,c@d.fr", "<email>,<email>"),
]
KEPT = [
    "DE88 3704 0044 0532 0130 00 has wrong digits", "4111111111111112", "0.0.0.0.0", "999.1.1.1", "on 2024-01-15 10:30",
    "15.01.2024", "1.234.567.890", "12 345 678", "it cost 3.14159265", "version 1.2.3", "order 12345678", "12:30:45",
    "@", "0000000000000000", "", "Straße 12",
]  # fmt: skip


@pytest.mark.parametrize(("text", "masked"), MASKED)
def test_what_is_personal_is_masked(text, masked):
    assert mask(text) == masked
    assert mask(masked) == masked


@pytest.mark.parametrize("text", KEPT)
def test_what_only_looks_like_it_stays(text):
    assert [found for found in find(text) if found.kind != "phone" or "wrong" not in text] == []


@given(text=st.text(alphabet=st.sampled_from("4 1-.@:+()DEaf0é\n"), max_size=60))
def test_found_parts_lie_apart_and_in_order(text):
    found = find(text)
    assert all(one.end <= other.start for one, other in pairwise(found))
    assert all(0 <= one.start < one.end <= len(text) for one in found)
    rest = mask(text)
    assert all(text[one.start : one.end] not in rest for one in found if one.kind in ("email", "iban"))


@given(digits=st.text("0123456789", min_size=12, max_size=18))
def test_one_last_digit_of_ten_makes_a_card(digits):
    good = [last for last in "0123456789" if is_card(digits + last)]
    assert len(good) == 1 or len(set(digits)) == 1


@given(body=st.text("0123456789ABCXYZ", min_size=11, max_size=30))
def test_an_iban_has_one_pair_of_check_digits(body):
    rest = int("".join(str(int(sign, 36)) for sign in body + "DE00")) % 97
    assert is_iban(f"DE{98 - rest:02d}{body}")
    assert not is_iban(f"DE{(98 - rest) % 97 + 1:02d}{body}")


@given(address=st.ip_addresses())
def test_every_address_of_a_machine_is_found(address):
    text = f"host {address} down"
    assert any(ip_address(text[one.start : one.end]) == address for one in find(text) if one.kind == "ip")


@pytest.mark.parametrize("piece", ["1", "a", "1 ", ":", "a.", "DE89 ", "a@", "1-", "fe:", "+", "("])
def test_no_text_takes_long(piece):
    start = time.process_time()
    mask(piece * 2_000)
    assert time.process_time() - start < 2.0
