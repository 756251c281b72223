"""Tokens of Google Cloud, from a token service of our own."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from tests.servers.rest import rest_service, says, status

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect import google_login
from drivetrain.connect.google_login import GoogleLogin
from drivetrain.connect.web_auth import Discreet
from drivetrain.connect.web_call import Caller, Limits
from drivetrain.core.credentials import SecretRef
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound

KEY = SecretRef(env="KEY")
PEM = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@pytest.fixture(scope="module")
def private():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def service():
    with rest_service() as running:
        yield running


def login(tmp_path, key=None, token=None, **secrets):
    known = Discreet(KnownSecrets(secrets, tmp_path))
    return GoogleLogin(key, token, "a-scope", known, Caller(Limits()))


def account(service, private, **more):
    pem = private.private_bytes(*PEM).decode()
    return json.dumps({"client_email": "robot@p", "private_key": pem, "token_uri": f"{service.url}/token", **more})


def test_the_key_of_a_service_account_signs_for_a_token(service, private, tmp_path):
    service.faults.append(says(b'{"access_token": "first", "expires_in": 3600}'))
    found = login(tmp_path, KEY, KEY=account(service, private, private_key_id="k1"))
    assert [found.token(), found.token()] == ["first", "first"], "it is asked for once"
    (_, form, _) = service.asked[0]
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    head, claims, signature = form["assertion"].split(".")
    private.public_key().verify(_bytes(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert json.loads(_bytes(head)) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    said = json.loads(_bytes(claims))
    assert (said["iss"], said["scope"], said["aud"]) == ("robot@p", "a-scope", f"{service.url}/token")
    assert said["exp"] - said["iat"] == 3600


def test_a_token_is_renewed_before_it_ends_and_when_it_was_refused(service, private, tmp_path):
    for number, life in enumerate((0, 3600, 3600)):
        service.faults.append(says(json.dumps({"access_token": f"t{number}", "expires_in": life}).encode()))
    found = login(tmp_path, KEY, KEY=account(service, private))
    assert [found.token(), found.token(), found.token()] == ["t0", "t1", "t1"]
    found.forget()
    assert found.token() == "t2"


@pytest.mark.parametrize("text", ["", "{}", '{"client_email": "a", "private_key": "b", "token_uri": "c"}'])
def test_a_key_that_is_none(tmp_path, text):
    with pytest.raises((InvalidInput, NotFound)) as caught:
        login(tmp_path, KEY, KEY=text).token()
    assert caught.value.hint


def test_a_key_of_another_kind(service, tmp_path):
    with pytest.raises(InvalidInput) as caught:
        login(tmp_path, KEY, KEY=account(service, ec.generate_private_key(ec.SECP256R1()))).token()
    assert caught.value.code == "google_key_invalid"


def test_an_account_that_is_refused(service, private, tmp_path):
    service.faults.append(status(400, body={"error": "invalid_grant", "error_description": "account not found"}))
    with pytest.raises(Forbidden, match="invalid_grant"):
        login(tmp_path, KEY, KEY=account(service, private)).token()
    service.faults.append(says(b"<html>"))
    with pytest.raises(InvalidInput) as caught:
        login(tmp_path, KEY, KEY=account(service, private)).token()
    assert caught.value.code == "token_invalid"


def test_a_token_that_somebody_else_gave_out(tmp_path):
    assert login(tmp_path, token=SecretRef(env="T"), T="given").token() == "given"


def test_the_identity_of_the_machine(service, tmp_path, monkeypatch):
    monkeypatch.setattr(google_login, "MACHINE", f"{service.url}/machine")
    service.faults.append(says(b'{"access_token": "of-the-machine", "expires_in": 60}'))
    assert login(tmp_path).token() == "of-the-machine"
    assert service.asked[0][2]["Metadata-Flavor"] == "Google"
    monkeypatch.setattr(google_login, "MACHINE", "http://127.0.0.1:1/machine")
    with pytest.raises(Forbidden) as caught:
        login(tmp_path).token()
    assert caught.value.code == "google_no_identity"
    assert "service_account" in caught.value.hint


def _bytes(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
