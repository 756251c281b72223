"""Who signed a delivery: the examples of the two specifications, and everything that is not signed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ingest.webhook.conftest import SECRET, signed

from drivetrain.core.errors import InvalidInput
from drivetrain.core.sources.pushed import CallerToken, GithubSignature, StandardSignature
from drivetrain.ingest.webhook.signatures import Unsigned, verify

REF = [{"env": "SOME"}]
STANDARD = StandardSignature.model_validate({"kind": "standard", "secrets": REF})
GITHUB = GithubSignature.model_validate({"kind": "github", "secrets": REF})
BEARER = CallerToken.model_validate({"kind": "token", "secrets": REF})
KEY = CallerToken.model_validate({"kind": "token", "secrets": REF, "header": "X-API-Key"})


def test_the_example_of_standard_webhooks():
    secret, at = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1614265330
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": str(at),
        "webhook-signature": "v1,bm9uZQ== v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    verify(STANDARD, [secret], headers, b'{"test": 2432232314}', at)


def test_the_example_of_github():
    headers = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    verify(GITHUB, ["It's a Secret to Everybody"], headers, b"Hello, World!", 0)
    with pytest.raises(Unsigned):
        verify(GITHUB, ["another"], headers, b"Hello, World!", 0)


def test_tokens():
    verify(BEARER, ["old", "new"], {"authorization": "Bearer new"}, b"", 0)
    verify(KEY, ["abc"], {"x-api-key": "abc"}, b"", 0)
    for auth, headers in ((BEARER, {"authorization": "new"}), (KEY, {"x-api-key": "ab"}), (KEY, {}), (BEARER, {})):
        with pytest.raises(Unsigned):
            verify(auth, ["new", "abc"], headers, b"", 0)


@given(st.binary(max_size=50), st.integers(0, 2**40))
def test_what_is_signed_passes_and_nothing_else(body, at):
    headers = signed(body, "m1", at=at)
    verify(STANDARD, ["whsec_b3RoZXI=", SECRET], headers, body, at + 299)
    for wrong in (
        {**headers, "webhook-id": "m2"},
        {**headers, "webhook-timestamp": str(at + 1)},
        {**headers, "webhook-signature": "v1," + "A" * 43 + "="},
        {**headers, "webhook-signature": headers["webhook-signature"].replace("v1,", "v1a,")},
        {**headers, "webhook-signature": ""},
    ):
        with pytest.raises(Unsigned):
            verify(STANDARD, [SECRET], wrong, body, at)
    with pytest.raises(Unsigned):
        verify(STANDARD, [SECRET], headers, body + b" ", at)


@pytest.mark.parametrize("away", [-301, 301])
def test_what_is_too_old_or_from_the_future_may_be_a_replay(away):
    with pytest.raises(Unsigned, match="clock"):
        verify(STANDARD, [SECRET], signed(b"x", "m1", at=1_000_000), b"x", 1_000_000 + away)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_is_missing(missing):
    headers = signed(b"x", "m1")
    del headers[missing]
    with pytest.raises(Unsigned, match=missing):
        verify(STANDARD, [SECRET], headers, b"x", 0)


def test_a_secret_that_is_none():
    with pytest.raises(InvalidInput, match="webhook_secret_invalid"):
        verify(STANDARD, ["whsec_plain text!"], signed(b"x", "m1"), b"x", 0)
