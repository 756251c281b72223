"""The kind ``webhook`` against a receiver that checks signatures: what it sees, refuses, and does not answer."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import monotonic

import pyarrow as pa
import pytest
from pydantic import ValidationError
from tests.deliver.sending import opened, parcel, words
from tests.servers.taking import after, before, hang_up, lost, running
from tests.servers.webhook import REFUSED, SECRET, Receiver

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.webhook_signature import signature
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Transient
from drivetrain.core.outlets.web import WebhookOutlet
from drivetrain.deliver.outlet import Parcel
from drivetrain.testing.outlets import COLUMNS, OutletContract

BEARER = {"kind": "bearer", "token": {"env": "TOKEN"}}


@pytest.fixture
def receiver():
    with running(Receiver()) as found:
        yield found


def webhook(receiver, **options):
    given = {"kind": "webhook", "url": f"{receiver.url}/decisions", "secret": {"env": "HOOK"}, "auth": BEARER}
    return WebhookOutlet.model_validate({**given, **options})


class TestWebhook(OutletContract):
    refused_word = REFUSED
    rows_per_call = 1
    many = 500
    secrets = KnownSecrets({"TOKEN": "key", "HOOK": SECRET, "WRONG": "very secret"}, Path())

    @pytest.fixture(autouse=True)
    def _there(self, receiver):
        self.receiver = receiver

    def make(self, home):
        return webhook(self.receiver, columns=COLUMNS, rows_per_call=self.rows_per_call)

    def received(self, home):
        return [(key, row["word"]) for key, row in self.receiver.first().items()]

    def wrong_login(self, home):
        auth = {"kind": "bearer", "token": {"env": "WRONG"}}
        return webhook(self.receiver, columns=COLUMNS, auth=auth), "very secret"

    def down(self, home):
        return self.receiver.away()


@pytest.mark.slow
class TestLists(TestWebhook):
    rows_per_call = 7


@pytest.fixture
def outlet(receiver, tmp_path):
    """``outlet(**options)``: opened; closed in the end."""
    found = []

    def of(**options):
        block = opened(webhook(receiver, **options), tmp_path, TOKEN="key", HOOK=SECRET)
        found.append(block)
        return block.__enter__()

    yield of
    for block in found:
        block.__exit__(None, None, None)


def taken(receipts):
    return [receipt.taken for receipt in receipts]


def test_each_row_is_a_call_signed_under_its_key(receiver, outlet):
    receipts = outlet().send(words(1, 2))
    assert [(receipt.taken, receipt.said) for receipt in receipts] == [
        (True, '{"ticket": "T-1"}'), (True, '{"ticket": "T-2"}'),
    ]  # fmt: skip
    assert receiver.rows["k2"] == [{"id": "k2", "word": "w2", "score": 0.25}]
    assert {request.headers["Content-Type"] for request in receiver.asked} == {"application/json"}


def test_the_signature_is_that_of_the_specification():
    """The example of the specification's own libraries."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_may_be_any_text_but_not_half_of_one(receiver, tmp_path):
    receiver.secret = "whsec_" + b64encode(b"open sesame").decode()
    with opened(webhook(receiver), tmp_path, TOKEN="key", HOOK="open sesame") as outlet:
        assert taken(outlet.send(words(1))) == [True]
    with opened(webhook(receiver), tmp_path, TOKEN="key", HOOK="whsec_open sesame") as outlet:
        with pytest.raises(InvalidInput, match="base64") as caught:
            outlet.send(words(1))
        assert "sesame" not in str(caught.value)


def test_several_rows_in_a_call_each_with_its_key(receiver, outlet):
    assert taken(outlet(rows_per_call=2).send(words(1, 2, 3))) == [True] * 3
    assert receiver.calls == 2
    assert receiver.first()["k3"] == {"id": "k3", "word": "w3", "score": 0.375}


def test_one_bad_row_takes_no_other_of_its_list_with_it(receiver, outlet):
    rows = [{"id": f"k{number}", "word": REFUSED if number == 2 else "good"} for number in range(5)]
    receipts = outlet(rows_per_call=10).send(parcel(*rows))
    assert taken(receipts) == [True, True, False, True, True]
    assert receipts[2].said == """422: {"error": "we take no 'refused'"}"""
    assert sorted(receiver.rows) == ["k0", "k1", "k3", "k4"]


@pytest.mark.parametrize("rows_per_call", [1, 2])
@pytest.mark.parametrize("fault", [lost, after(500), after(429), before(503), hang_up])
def test_an_answer_that_is_lost_doubles_nothing(receiver, outlet, fault, rows_per_call):
    """All is tried again, under the same keys and ids; rows that were answered before the fault are not sent again."""
    one = outlet(rows_per_call=rows_per_call)
    receiver.faults.extend([None, fault])
    with pytest.raises(Transient):
        one.send(words(1, 2, 3, 4))
    assert taken(one.send(words(1, 2, 3, 4))) == [True] * 4
    sent = [request.headers["webhook-id"] for request in receiver.asked]
    assert len(sent) == 4 // rows_per_call + 1
    assert len(set(sent)) == 4 // rows_per_call
    assert {key: row["word"] for key, row in receiver.first().items()} == {f"k{n}": f"w{n}" for n in range(1, 5)}


def test_the_service_says_when_to_come_back(receiver, outlet):
    receiver.faults.append(before(429, {"Retry-After": "7"}))
    with pytest.raises(Transient) as caught:
        outlet().send(words(1))
    assert caught.value.seconds == 7


@pytest.mark.parametrize("status", [400, 406, 409, 413, 415, 422, 451])
def test_a_row_that_is_refused_is_a_dead_letter_with_the_words_of_the_answer(receiver, outlet, status):
    receiver.faults.append(before(status, body={"error": "no such customer", "token": "key"}))
    receipts = outlet().send(words(1, 2))
    assert taken(receipts) == [False, True]
    assert receipts[0].said == f"{status}: " + '{"error": "no such customer", "token": "***"}'


@pytest.mark.parametrize(
    ("status", "family"),
    [(401, Forbidden), (403, Forbidden), (407, Forbidden), (404, NotFound), (410, NotFound), (405, InvalidInput),
     (302, InvalidInput), (408, Transient), (425, Transient), (429, Transient), (500, Transient)],
)  # fmt: skip
def test_what_is_no_rows_fault_makes_no_dead_letter(receiver, outlet, status, family):
    receiver.faults.extend([before(status)] * 2)
    with pytest.raises(family) as caught:
        outlet().send(words(1))
    assert caught.value.hint


def test_a_token_that_expired_is_renewed(receiver, tmp_path):
    (tmp_path / "token").write_text("old")

    def expire(handler, act):
        (tmp_path / "token").write_text("key")
        handler.say(401, {})

    spec = webhook(receiver, auth={"kind": "bearer", "token": {"file": "token"}})
    with opened(spec, tmp_path, HOOK=SECRET) as outlet:
        receiver.faults.append(expire)
        assert taken(outlet.send(words(1, 2))) == [True, True]


def test_credentials_stand_in_no_error(receiver, tmp_path):
    with opened(webhook(receiver), tmp_path, TOKEN="very secret", HOOK=SECRET) as outlet:
        for ask in (outlet.check, lambda: outlet.send(words(1))):
            with pytest.raises(Forbidden) as caught:
                ask()
            assert "very secret" not in f"{caught.value} {outlet!r}"
            assert "***" in str(caught.value), "the answer held it"


def test_check_asks_and_sends_nothing(receiver, outlet):
    assert outlet().check() == f"{receiver.url}/decisions answers"
    receiver.faults.append(before(405))
    assert outlet().check() == f"{receiver.url}/decisions answers"
    assert (receiver.rows, receiver.calls) == ({}, 0)
    with receiver.away(), pytest.raises(Transient):
        outlet().check()


def test_headers_of_ones_own_and_a_pace(receiver, outlet):
    began = monotonic()
    outlet(headers={"X-Tenant": "acme", "X-Key": {"env": "TOKEN"}}, requests_per_second=20).send(words(1, 2, 3))
    assert monotonic() - began > 0.09
    assert {(one.headers["X-Tenant"], one.headers["X-Key"]) for one in receiver.asked} == {("acme", "key")}


def test_values_keep_what_they_are(receiver, outlet):
    row = {
        "word": "ü \"x\"\n", "day": datetime(2026, 1, 2, 3, 4, 5, 600, UTC), "sum": Decimal("12.30"), "n": 2**60,
        "score": float("nan"), "yes": True, "none": None, "list": [{"a": 1}],
    }  # fmt: skip
    outlet().send(Parcel(pa.Table.from_pylist([row]), ("k1",)))
    assert json.loads(receiver.asked[0].body) == {
        "word": "ü \"x\"\n", "day": "2026-01-02T03:04:05.000600Z", "sum": 12.3, "n": 2**60, "score": None, "yes": True,
        "none": None, "list": [{"a": 1}],
    }  # fmt: skip
    assert b'"sum":12.30,' in receiver.asked[0].body


def test_a_url_with_a_password_is_refused():
    with pytest.raises(ValidationError):
        WebhookOutlet.model_validate({"kind": "webhook", "url": "https://ann:secret@example.org"})
