"""What a sender hears: what is taken, known already, refused, and sent away for now."""

import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.ingest.webhook.conftest import SECRET, signed
from tests.servers.certificates import write_certificates

from drivetrain.core.errors import InvalidInput, NotFound


def test_a_delivery_is_taken_once(listening):
    hook = listening()
    first = hook.sender.post({"id": 1}, name="m1")
    again = hook.sender.post({"id": 1}, name="m1")
    assert (first.status, first.body) == (202, {"id": "m1", "rows": 1})
    assert (again.status, again.body) == (first.status, first.body)
    assert hook.rows() == [{"id": "1"}]


def test_the_same_id_with_another_body_is_refused(listening):
    hook = listening()
    hook.sender.post({"id": 1}, name="m1")
    assert hook.sender.post({"id": 2}, name="m1").status == 422
    assert hook.rows() == [{"id": "1"}]


def test_many_at_once_and_again(listening):
    """Each is sent twice, side by side."""
    hook = listening()
    with ThreadPoolExecutor(8) as senders:
        found = list(senders.map(lambda n: hook.sender.post({"id": n // 2}, name=f"m{n // 2}").status, range(200)))
    assert set(found) == {202}
    assert sorted(int(row["id"]) for row in hook.rows()) == list(range(100))


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "missing"),
        (signed(b'{"id": 1}', "m1", secret="whsec_b3RoZXI="), "does not fit"),
        (signed(b'{"id": 2}', "m1"), "does not fit"),
        (signed(b'{"id": 1}', "m1", at=1_000_000_000), "clock"),
    ],
)
def test_who_is_not_who_they_should_be(listening, headers, said):
    hook = listening()
    answer = hook.sender.post({"id": 1}, headers)
    assert answer.status == 401
    assert said in answer.body["error"]["message"]
    assert SECRET not in json.dumps(answer.body)
    assert hook.rows() == []


@pytest.mark.parametrize("body", [b"", b"{", b"3", b"[1]", b'{"a": 1} x', b"\xff\xfe", b"[" * 100_000, b"null"])
def test_what_is_no_json_is_not_kept(listening, body):
    hook = listening()
    answer = hook.sender.post(body)
    assert (answer.status, answer.body["error"]["code"]) == (400, "body_not_json")
    assert hook.rows() == []


def test_what_is_refused_before_it_is_read(listening):
    hook = listening(path="/hooks", max_body_bytes=100)
    sender = hook.sender
    assert sender.post({"id": 1}, path="/hooks").status == 202
    assert sender.post({"id": 1}, path="/").status == 404
    assert sender.post({"id": 1}, path="/hooks", method="PUT").status == 405
    assert sender.post({"id": 1}, {"content-type": "text/xml"}, path="/hooks").status == 415
    assert sender.post({"id": "x" * 200}, path="/hooks", name="m2").status == 413
    assert sender.post(b"", path="/healthz", method="GET").status == 200
    assert len(hook.rows()) == 1


def test_a_full_inbox_sends_away_until_there_is_room(listening):
    hook = listening(max_waiting_bytes=100)
    for number in range(3):
        assert hook.sender.post({"id": number, "text": "x" * 20}, name=f"m{number}").status in (202, 429)
    refused = hook.sender.post({"id": 9, "text": "x" * 60}, name="m9")
    assert (refused.status, refused.body["error"]["code"]) == (429, "inbox_full")
    assert int(refused.headers["retry-after"]) > 0
    *_, position = hook.reader.read("")
    hook.reader.commit(position.cursor)
    done = threading.Event()
    answers = [hook.sender.post({"id": 9, "text": "x" * 60}, name="m9").status]
    while answers[-1] == 429:
        done.wait(0.1)
        answers.append(hook.sender.post({"id": 9, "text": "x" * 60}, name="m9").status)
    assert answers[-1] == 202


def test_more_than_the_rate_is_sent_away(listening):
    hook = listening(requests_per_second=2)
    found = [hook.sender.post({"id": number}, name=f"m{number}") for number in range(6)]
    assert {one.status for one in found} == {202, 429}
    assert all(int(one.headers["retry-after"]) > 0 for one in found if one.status == 429)


def test_ids_are_known_after_a_load_and_a_restart(listening):
    hook = listening()
    hook.sender.post({"id": 1}, name="m1")
    *_, position = hook.reader.read("")
    hook.reader.commit(position.cursor)
    hook.reader.commit(position.cursor)
    hook.reader.close()
    hook.reader.wait(0)
    assert hook.sender.post({"id": 1}, name="m1").status == 202
    assert list(hook.reader.read(position.cursor)) == []


def test_ids_are_forgotten_after_their_hours(listening):
    hook = listening(id_hours=1e-9)
    hook.sender.post({"id": 1}, name="m1")
    *_, position = hook.reader.read("")
    hook.reader.commit(position.cursor)
    assert hook.sender.post({"id": 2}, name="m1").status == 202


def test_github_and_tokens(listening, environment):
    environment["HOOK_SECRET"] = "It's a Secret to Everybody"
    secrets = [{"env": "HOOK_SECRET"}]
    github = listening(auth={"kind": "github", "secrets": secrets})
    body, signature = (
        b'{"zen": "Design for failure."}',
        "e41ab9b6b3c7d1b2fa6d9b2b6dcb2a09ad16e8ac4e6ba0f5d3d0e6f4d2a8e5c1",
    )
    assert github.sender.post(body, {"x-hub-signature-256": f"sha256={signature}"}).status == 401
    key = listening(auth={"kind": "token", "secrets": secrets, "header": "X-API-Key"})
    sent = {"x-api-key": environment["HOOK_SECRET"], "idempotency-key": "one"}
    assert [key.sender.post({"id": 1}, sent).status for _ in range(2)] == [202, 202]
    assert len(key.rows()) == 1
    unnamed = {"x-api-key": environment["HOOK_SECRET"]}
    assert [key.sender.post({"id": 2}, unnamed).status for _ in range(2)] == [202, 202]
    assert len(key.rows()) == 3, "without an id every delivery is a new one"


def test_a_secret_that_is_exchanged_while_it_runs(listening, environment, monkeypatch):
    monkeypatch.setattr("drivetrain.ingest.webhook.receiver._SECRETS_SECONDS", 0.0)
    hook = listening()
    newer = "whsec_bmV3ZXIgc2VjcmV0IG9mIHRoZSBzZW5kZXI="
    body = b'{"id": 1}'
    assert hook.sender.post(body, signed(body, "m1", secret=newer)).status == 401
    environment["HOOK_SECRET"] = newer
    assert hook.sender.post(body, signed(body, "m1", secret=newer)).status == 202


def test_secrets_that_cannot_be_used(listening, environment):
    environment["HOOK_SECRET"] = "whsec_no base64!"
    with pytest.raises(InvalidInput, match="webhook_secret_invalid"):
        listening()
    del environment["HOOK_SECRET"]
    with pytest.raises(NotFound, match="secret_missing"):
        listening()


def test_over_tls(listening, tmp_path):
    files = write_certificates(tmp_path / "tls")
    hook = listening(tls={"certificate": str(files.certificate), "key": str(files.key)})
    hook.context = ssl.create_default_context(cafile=str(files.ca))
    assert hook.sender.post({"id": 1}).status == 202
    assert hook.rows() == [{"id": "1"}]


def test_a_disk_that_takes_nothing_is_said_and_nothing_is_lost(listening):
    hook = listening()
    receiver = hook.reader._receiver
    receiver._writing._sql.execute("PRAGMA max_page_count = 1")
    answer = hook.sender.post({"id": 1, "text": "x" * 100_000})
    assert (answer.status, answer.body["error"]["code"]) == (503, "inbox_unusable")
    assert int(answer.headers["retry-after"]) > 0
    receiver._writing._sql.execute("PRAGMA max_page_count = 1000000")
    assert hook.sender.post({"id": 1, "text": "x" * 100_000}).status == 202
    assert len(hook.rows()) == 1
