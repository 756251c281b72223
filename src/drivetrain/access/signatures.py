"""DSSE envelopes around in-toto statements: signed so that any tool that knows the two formats can verify them.

DSSE 1.0: github.com/secure-systems-lab/dsse; in-toto Statement v1: github.com/in-toto/attestation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from drivetrain.access.exact import decode, encode
from drivetrain.access.keys import Signer, key_id, verifies
from drivetrain.core.digest import digest_bytes
from drivetrain.core.errors import Refused, Tampered
from drivetrain.core.lineage import ApprovalPredicate, ReleasePredicate, ReviewPredicate
from drivetrain.core.roles import Actor

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
P = TypeVar("P")


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One signature of an envelope; ``sig`` is base64 in the file, ``keyid`` says whose key to try."""

    keyid: str
    sig: bytes


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A DSSE envelope; ``payload`` is base64 in the file."""

    payload: bytes
    payload_type: str = msgspec.field(name="payloadType")
    signatures: tuple[Signature, ...]


class Digest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An in-toto DigestSet of the one algorithm that we use."""

    sha256: str


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that a statement is about."""

    name: str
    digest: Digest


class Statement(msgspec.Struct, Generic[P], frozen=True, forbid_unknown_fields=True):
    """An in-toto Statement v1."""

    type: str = msgspec.field(name="_type")
    subject: tuple[Subject, ...]
    predicate_type: str = msgspec.field(name="predicateType")
    predicate: P


@dataclass(frozen=True)
class Form(Generic[P]):
    """What a statement is read as: the URI of its predicate's type and the class that holds it."""

    predicate_type: str
    statement: type[Statement[P]]


RELEASE = Form("urn:drivetrain:release:v1", Statement[ReleasePredicate])
APPROVAL = Form("urn:drivetrain:approval:v1", Statement[ApprovalPredicate])
REVIEW = Form("urn:drivetrain:review:v1", Statement[ReviewPredicate])


def pae(payload_type: str, payload: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding of a payload and its type."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def subjects(files: Mapping[str, bytes]) -> tuple[Subject, ...]:
    """What a statement about these files lists, in the order of their names."""
    return tuple(Subject(name, Digest(digest_bytes(files[name]))) for name in sorted(files))


def state(form: Form[P], files: Mapping[str, bytes], predicate: P) -> Statement[P]:
    """The statement of a predicate about these files."""
    return Statement(STATEMENT_TYPE, subjects(files), form.predicate_type, predicate)


def seal(statement: Statement[P], signer: Signer) -> bytes:
    """The bytes of the envelope in which ``signer`` signs the statement."""
    payload = encode(statement)
    signature = Signature(signer.key_id, signer.sign(pae(PAYLOAD_TYPE, payload)))
    return encode(Envelope(payload, PAYLOAD_TYPE, (signature,)))


def unseal(content: bytes, form: Form[P], name: str, actors: Mapping[str, Actor]) -> tuple[Statement[P], Actor]:
    """The statement in an envelope file ``name`` and the one actor who signed it.

    Raises Tampered when a byte is not what was signed, Refused when none of ``actors`` has the key.
    """
    envelope = decode(content, Envelope, name)
    if len(envelope.signatures) != 1:
        raise Tampered("signature_invalid", f"{name} does not hold exactly one signature")
    (signature,) = envelope.signatures
    actor = _owner(signature.keyid, actors, name)
    if not verifies(actor, signature.sig, pae(envelope.payload_type, envelope.payload)):
        raise Tampered(
            "signature_invalid",
            f"{name} does not bear a valid signature of {actor.name}",
            hint="fetch the release again",
        )
    return _statement(envelope, form, name), actor


def _statement(envelope: Envelope, form: Form[P], name: str) -> Statement[P]:
    if envelope.payload_type != PAYLOAD_TYPE:
        raise Tampered("statement_invalid", f"{name} holds {envelope.payload_type[:80]!r}, not a statement")
    statement = decode(envelope.payload, form.statement, name)
    if (statement.type, statement.predicate_type) != (STATEMENT_TYPE, form.predicate_type):
        raise Tampered("statement_invalid", f"{name} states {statement.predicate_type[:80]!r}, which is something else")
    return statement


def _owner(keyid: str, actors: Mapping[str, Actor], name: str) -> Actor:
    for actor in actors.values():
        if key_id(actor) == keyid:
            return actor
    raise Refused(
        "signer_unknown",
        f"{name} was signed with the key {keyid[:12]!r}, which nobody in actors.yaml has",
        hint="enter the signer in actors.yaml, or have somebody who is in it sign again",
    )
