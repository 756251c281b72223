from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drivetrain.access.keys import Signer
from drivetrain.access.signatures import APPROVAL, RELEASE, Statement, pae, seal, state, unseal
from drivetrain.core.artifacts import Endorsement
from drivetrain.core.errors import Refused, Tampered
from drivetrain.core.lineage import ApprovalPredicate
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.roles import Actor, Role

FILES = {"b.json": b"bee", "a.json": b"ay"}
# RFC 8032, section 7.1, test 1.
RFC_SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
RFC_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
RFC_SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)


@pytest.fixture
def ada(signers: dict[str, Signer]) -> Signer:
    return signers["ada"]


@pytest.fixture
def statement(ada: Signer) -> Statement[ApprovalPredicate]:
    said = Endorsement(ada.actor.name, str(ada.actor.role), ada.key_id, "2026-11-23T00:00:00+00:00", "fine – ok")
    return state(APPROVAL, FILES, ApprovalPredicate(said, Ref(Kind.RELEASE, "risk", "0123456789ab")))


def test_the_published_vector_of_dsse():
    # github.com/secure-systems-lab/dsse, protocol.md, test vectors.
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [("", b"", b"DSSEv1 0  0 "), ("ü", b"\x00\xff", b"DSSEv1 2 \xc3\xbc 2 \x00\xff")],
)
def test_lengths_are_counted_in_bytes(kind: str, payload: bytes, expected: bytes):
    assert pae(kind, payload) == expected


def test_a_key_signs_as_rfc_8032_says():
    actor = Actor("rfc", Role.AUDITOR, base64.b64encode(RFC_PUBLIC).decode())
    signer = Signer(actor, Ed25519PrivateKey.from_private_bytes(RFC_SECRET))
    assert signer.sign(b"") == RFC_SIGNATURE
    assert signer.key_id == hashlib.sha256(RFC_PUBLIC).hexdigest()


def test_an_envelope_is_what_the_two_specifications_say(ada: Signer, statement: Statement[ApprovalPredicate]):
    envelope = json.loads(seal(statement, ada))
    assert set(envelope) == {"payload", "payloadType", "signatures"}
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert [set(signature) for signature in envelope["signatures"]] == [{"keyid", "sig"}]
    said = json.loads(base64.b64decode(envelope["payload"], validate=True))
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "urn:drivetrain:approval:v1"
    assert said["subject"] == [
        {"name": name, "digest": {"sha256": hashlib.sha256(FILES[name]).hexdigest()}} for name in ("a.json", "b.json")
    ]
    assert said["predicate"]["endorsement"]["comment"] == "fine – ok"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_another_tool_verifies_the_signature(tmp_path: Path, ada: Signer, statement: Statement[ApprovalPredicate]):
    envelope = json.loads(seal(statement, ada))
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"]
    (tmp_path / "message").write_bytes(f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload)
    (tmp_path / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    # The DER of an Ed25519 public key is this prefix and the raw key (RFC 8410).
    der = bytes.fromhex("302a300506032b6570032100") + base64.b64decode(ada.actor.public_key)
    (tmp_path / "key").write_bytes(der)
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", "key"]
    command += ["-in", "message", "-sigfile", "signature"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert b"Signature Verified Successfully" in done.stdout


def test_what_was_sealed_is_unsealed(ada: Signer, statement: Statement[ApprovalPredicate], actors: dict[str, Actor]):
    assert unseal(seal(statement, ada), APPROVAL, "approval.json", actors) == (statement, ada.actor)


def test_the_same_statement_makes_the_same_bytes(ada: Signer, statement: Statement[ApprovalPredicate]):
    assert seal(statement, ada) == seal(statement, ada)


def test_an_unknown_key_is_refused(ada: Signer, statement: Statement[ApprovalPredicate], actors: dict[str, Actor]):
    del actors["ada"]
    with pytest.raises(Refused, match=r"approval\.json was signed with the key .* which nobody in actors\.yaml has"):
        unseal(seal(statement, ada), APPROVAL, "approval.json", actors)


def test_a_name_with_another_key_is_refused(
    signers: dict[str, Signer], statement: Statement[ApprovalPredicate], actors: dict[str, Actor]
):
    forger = Signer(actors["ada"], signers["max"].private_key)
    with pytest.raises(Tampered, match="does not bear a valid signature of ada"):
        unseal(seal(statement, forger), APPROVAL, "approval.json", actors)


def test_a_statement_of_another_kind_is_refused(
    ada: Signer, statement: Statement[ApprovalPredicate], actors: dict[str, Actor]
):
    with pytest.raises(Tampered):
        unseal(seal(statement, ada), RELEASE, "release.json", actors)


def _resealed(content: bytes, **changes: object) -> bytes:
    """The envelope with other fields, spelled as we spell it."""
    return json.dumps({**json.loads(content), **changes}, indent=1).encode() + b"\n"


def test_only_one_signature_counts(ada: Signer, statement: Statement[ApprovalPredicate], actors: dict[str, Actor]):
    content = seal(statement, ada)
    assert _resealed(content) == content
    (signature,) = json.loads(content)["signatures"]
    for signatures in ([], [signature, signature]):
        with pytest.raises(Tampered, match=r"exactly one signature|not what was signed"):
            unseal(_resealed(content, signatures=signatures), APPROVAL, "approval.json", actors)


def test_base64_has_one_spelling(ada: Signer, statement: Statement[ApprovalPredicate], actors: dict[str, Actor]):
    content = seal(statement, ada)
    (signature,) = json.loads(content)["signatures"]
    sig = signature["sig"]
    assert sig.endswith("==")
    loose = sig[:-3] + chr(ord(sig[-3]) + 1) + "=="
    assert base64.b64decode(loose) == base64.b64decode(sig), "the padding bits are the only difference"
    for other in (loose, sig.rstrip("="), sig + "\n", sig.replace("+", "-").replace("/", "_") + "=", " " + sig):
        forged = _resealed(content, signatures=[{**signature, "sig": other}])
        with pytest.raises(Tampered, match=r"approval\.json is not what was signed"):
            unseal(forged, APPROVAL, "approval.json", actors)


def test_another_payload_type_is_refused(
    ada: Signer, statement: Statement[ApprovalPredicate], actors: dict[str, Actor]
):
    content = seal(statement, ada)
    with pytest.raises(Tampered, match="does not bear a valid signature"):
        unseal(_resealed(content, payloadType="text/plain"), APPROVAL, "approval.json", actors)


def test_extra_keys_are_refused(ada: Signer, statement: Statement[ApprovalPredicate], actors: dict[str, Actor]):
    with pytest.raises(Tampered, match="not what was signed"):
        unseal(_resealed(seal(statement, ada), note="hello"), APPROVAL, "approval.json", actors)
