"""Credentials: how they travel, how they are renewed in the middle of a load, and that they stand nowhere else."""

import base64
import traceback

import pytest
from tests.servers.rest import says, status
from tests.servers.rest_sources import open_rest, read, rest_source, some_rows

from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Transient

SECRET = "s3cret+"
KEY = {"env": "KEY"}
OAUTH = {"kind": "oauth2", "client_id": "robot", "client_secret": {"env": "SECRET"}}


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def wants(service, header, value):
    service.accepts = lambda headers, query: headers.get(header) == value


def oauth(service, **options):
    wanted = lambda headers, query: headers.get("Authorization") == f"Bearer token-{service.tokens}"  # noqa: E731 - short
    service.accepts = wanted
    return {**OAUTH, "token_url": f"{service.url}/token", **options}


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"kind": "key", "key": KEY, "header": "X-API-Key"}, "X-API-Key", SECRET),
        ({"kind": "bearer", "token": KEY}, "Authorization", f"Bearer {SECRET}"),
        ({"kind": "basic", "user": "ann", "password": KEY}, "Authorization", basic("ann", SECRET)),
        ({"kind": "basic", "user": KEY, "password": KEY}, "Authorization", basic(SECRET, SECRET)),
    ],
)
def test_a_credential_in_a_header(service, tmp_path, auth, header, value):
    service.rows = some_rows(3)
    wants(service, header, value)
    assert len(read(rest_source(service, "cursor", auth=auth), tmp_path, KEY=SECRET)[0]) == 3


def test_a_key_in_the_query_goes_with_every_page(service, tmp_path):
    service.rows = some_rows(5)
    service.accepts = lambda headers, query: query.get("key") == SECRET
    auth = {"kind": "key", "key": KEY, "parameter": "key"}
    for path in ("next_url", "offset"):
        assert len(read(rest_source(service, path, auth=auth, params={"key": "old"}), tmp_path, KEY=SECRET)[0]) == 5


def test_a_header_may_hold_a_credential(service, tmp_path):
    service.rows = some_rows(1)
    wants(service, "X-Tenant-Key", SECRET)
    spec = rest_source(service, "all", headers={"X-Tenant-Key": KEY, "X-Plain": "yes"})
    assert len(read(spec, tmp_path, KEY=SECRET)[0]) == 1
    assert service.asked[0][2]["X-Plain"] == "yes"


@pytest.mark.parametrize("send", ["header", "body"])
def test_client_credentials(service, tmp_path, send):
    service.rows = some_rows(5)
    auth = oauth(service, send=send, scope="read all", audience="us")
    assert len(read(rest_source(service, "cursor", auth=auth), tmp_path, SECRET="s3cret+")[0]) == 5
    path, form, _ = service.asked[0]
    assert (path, form["grant_type"], form["scope"]) == ("/token", "client_credentials", "read all")
    assert service.tokens == 1, "a token is used until it ends"


def test_a_token_that_ends_in_the_middle_is_renewed_before_it_does(service, tmp_path):
    service.rows, service.token_life = some_rows(7), 0
    assert len(read(rest_source(service, "cursor", auth=oauth(service)), tmp_path, SECRET="s3cret+")[0]) == 7
    assert service.tokens == 4


def test_a_token_that_is_refused_in_the_middle_is_renewed(service, tmp_path):
    service.rows = some_rows(5)
    service.faults.extend([None, None, status(401)])
    assert len(read(rest_source(service, "cursor", auth=oauth(service)), tmp_path, SECRET="s3cret+")[0]) == 5
    assert service.tokens == 2


def test_a_credential_that_was_changed_in_the_middle_is_looked_up_again(service, tmp_path):
    service.rows = some_rows(5)
    (tmp_path / "key").write_text("old\n")

    def change(handler):
        (tmp_path / "key").write_text("new\n")
        wants(service, "X-Key", "new")
        handler.answer(401, {})

    wants(service, "X-Key", "old")
    service.faults.extend([None, change])
    auth = {"kind": "key", "key": {"file": "key"}, "header": "X-Key"}
    assert len(read(rest_source(service, "cursor", auth=auth), tmp_path)[0]) == 5


def test_a_token_service_that_is_down_for_a_while_is_waited_for(service, tmp_path):
    service.rows = some_rows(1)
    service.faults.extend([status(503), status(429, {"Retry-After": "0"})])
    spec = rest_source(service, "all", auth=oauth(service), deadline_seconds=20)
    assert len(read(spec, tmp_path, SECRET="s3cret+")[0]) == 1
    service.faults.append(status(503))
    with pytest.raises(Transient):
        read(rest_source(service, "all", auth=oauth(service)), tmp_path, SECRET="s3cret+")


@pytest.mark.parametrize(
    ("answer", "family", "code"),
    [
        (says({"token": "other"}), InvalidInput, "token_invalid"),
        (says(b"<html>"), InvalidInput, "token_invalid"),
        (says({"access_token": "t", "expires_in": "soon"}), InvalidInput, "token_invalid"),
        (status(400, body={"error": "invalid_scope"}), Forbidden, "credentials_refused"),
        (status(404), NotFound, "web_unknown"),
    ],
)
def test_a_token_service_that_gives_no_token(service, tmp_path, answer, family, code):
    service.faults.append(answer)
    with pytest.raises(family) as caught:
        read(rest_source(service, "all", auth=oauth(service)), tmp_path, SECRET="s3cret+")
    assert caught.value.code == code
    assert caught.value.where == f"{service.url}/token"


AUTHS = [
    {"kind": "key", "key": KEY, "header": "X-API-Key"},
    {"kind": "key", "key": KEY, "parameter": "api_key"},
    {"kind": "basic", "user": "ann", "password": KEY},
    {"kind": "bearer", "token": KEY},
    {"kind": "oauth2", "client_id": "robot", "client_secret": KEY},
]


@pytest.mark.parametrize("auth", AUTHS, ids=lambda auth: auth["kind"])
def test_credentials_that_are_refused_stand_in_no_error(service, tmp_path, auth):
    """The service sends back what it was given; nothing of it is shown."""
    secret = "very secret/+key"
    service.accepts = lambda headers, query: False
    auth = {**auth, "token_url": f"{service.url}/token"} if auth["kind"] == "oauth2" else auth
    reader = open_rest(rest_source(service, "all", auth=auth), tmp_path, KEY=secret)
    with pytest.raises(Forbidden) as caught:
        list(reader.read(""))
    assert caught.value.hint
    shown = "".join(traceback.format_exception(caught.value)) + str(caught.value) + repr(vars(caught.value))
    packed = base64.b64encode(f"ann:{secret}".encode()).decode()
    assert [form for form in (secret, "very+secret", "very%20secret", packed) if form in shown] == []
    assert "Bearer token" not in shown


def test_a_credential_that_is_not_there(service, tmp_path):
    with pytest.raises(NotFound) as caught:
        read(rest_source(service, "all", auth=AUTHS[0]), tmp_path)
    assert caught.value.code == "secret_missing"


def test_a_cursor_holds_no_credential(service, tmp_path):
    service.rows = [{"id": 1, "at": "2026-01-01"}]
    spec = rest_source(service, "since", auth=AUTHS[1], incremental={"param": "updated_after", "field": "at"})
    _, cursor = read(spec, tmp_path, KEY=SECRET)
    assert cursor
    assert SECRET not in cursor
