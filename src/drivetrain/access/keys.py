"""Ed25519 keys: private ones in files that only their owner reads, public ones in ``core.roles.Actor``."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from drivetrain.core.errors import InvalidInput, NotFound, Refused
from drivetrain.core.roles import Actor, Role
from drivetrain.store.folders import create_file

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_LARGEST_PEM = 16 * 1024
_PUBLIC_BYTES = 32


@dataclass(frozen=True)
class Signer:
    """An actor together with the private key that speaks for it."""

    actor: Actor
    private_key: Ed25519PrivateKey = field(repr=False, compare=False)

    @property
    def key_id(self) -> str:
        """SHA-256 of the public key, as 64 hexadecimal digits."""
        return key_id(self.actor)

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of an Ed25519 signature (RFC 8032)."""
        return self.private_key.sign(message)


def create_signer(folder: Path, name: str, role: Role) -> Signer:
    """Make a key for an actor and keep its private half in ``folder``; only the owner of the file may read it.

    Raises InvalidInput when the name cannot be used, or has a key already: a private key is never overwritten.
    """
    path = _key_path(folder, name)
    private_key = Ed25519PrivateKey.generate()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        create_file(path, private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    except FileExistsError:
        raise InvalidInput(
            "key_exists", f"{name} has a key already", where=str(path), hint="use it, or move the file away first"
        ) from None
    return Signer(Actor(name, role, _public_text(private_key)), private_key)


def load_signer(folder: Path, actor: Actor) -> Signer:
    """An actor with the private key that lies in ``folder``.

    Raises NotFound when it is not there, InvalidInput when it is no such key, Refused when the file is open to others
    or the key is not the one that ``actors.yaml`` knows.
    """
    path = _key_path(folder, actor.name)
    private_key = _read_private(path)
    if _public_text(private_key) != actor.public_key:
        raise Refused(
            "key_is_another",
            f"the key of {actor.name} is not the one that actors.yaml knows",
            where=str(path),
            hint="bring back the right key file, or let somebody enter the new public key in actors.yaml",
        )
    return Signer(actor, private_key)


def local_names(folder: Path) -> frozenset[str]:
    """The names of the actors whose private keys lie in ``folder``; none when there is no such folder."""
    return frozenset(path.stem for path in folder.glob("*.pem"))


def check_actor_name(name: str) -> str:
    """The name, when it can name an actor and a key file; raises InvalidInput."""
    if _NAME.fullmatch(name) is None:
        raise InvalidInput(
            "actor_name_invalid",
            f"{name[:80]!r} cannot name an actor",
            hint="use 1 to 64 letters, digits and . _ @ - and begin with a letter or digit",
        )
    return name


def public_bytes(text: str) -> bytes:
    """The 32 raw bytes of a public key from their base64; raises ValueError for any other text."""
    raw = base64.b64decode(text, validate=True)
    if len(raw) != _PUBLIC_BYTES or base64.b64encode(raw).decode() != text:
        raise ValueError("not the base64 of the 32 raw bytes of an Ed25519 public key")
    return raw


def key_id(actor: Actor) -> str:
    """SHA-256 of the 32 raw bytes of an actor's public key, as 64 hexadecimal digits."""
    return hashlib.sha256(public_bytes(actor.public_key)).hexdigest()


def verifies(actor: Actor, signature: bytes, message: bytes) -> bool:
    """Whether the actor's private key made this signature of this message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_bytes(actor.public_key)).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _key_path(folder: Path, name: str) -> Path:
    return folder / f"{check_actor_name(name)}.pem"


def _public_text(private_key: Ed25519PrivateKey) -> str:
    return base64.b64encode(private_key.public_key().public_bytes_raw()).decode()


def _read_private(path: Path) -> Ed25519PrivateKey:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(_LARGEST_PEM)
    except FileNotFoundError:
        raise NotFound(
            "key_missing", f"{path.stem} has no private key here", where=str(path), hint="set DRIVETRAIN_KEYS"
        ) from None
    except OSError as error:
        raise InvalidInput("key_unreadable", f"the key cannot be read: {error.strerror}", where=str(path)) from None
    if mode & 0o077:
        raise Refused(
            "key_too_open",
            f"others may read this private key (mode {mode:03o})",
            where=str(path),
            hint=f"chmod 600 {path}; if somebody may have read it, make a new key",
        )
    return _parse_private(content, path)


def _parse_private(content: bytes, path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput(
            "key_unreadable",
            "not an unencrypted Ed25519 private key (PKCS#8 PEM)",
            where=str(path),
            hint="bring back the file from a copy, or move it away and make a new key",
        )
    return key
