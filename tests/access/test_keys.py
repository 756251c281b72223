from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from drivetrain.access.keys import create_signer, key_id, load_signer, local_names, public_bytes, verifies
from drivetrain.core.errors import InvalidInput, NotFound, Refused
from drivetrain.core.roles import Actor, Role


def test_a_key_is_loaded_as_it_was_made(tmp_path: Path):
    made = create_signer(tmp_path / "keys", "mia", Role.ML_ENGINEER)
    loaded = load_signer(tmp_path / "keys", made.actor)
    assert loaded.actor == made.actor == Actor("mia", Role.ML_ENGINEER, made.actor.public_key)
    assert loaded.key_id == made.key_id == key_id(made.actor)
    assert verifies(made.actor, loaded.sign(b"hello"), b"hello")
    assert not verifies(made.actor, loaded.sign(b"hello"), b"hellO")
    assert not verifies(made.actor, b"too short", b"hello")


def test_two_people_have_two_keys(tmp_path: Path):
    mia, ada = (create_signer(tmp_path, name, Role.AUDITOR) for name in ("mia", "ada"))
    assert mia.actor.public_key != ada.actor.public_key
    assert not verifies(ada.actor, mia.sign(b"hello"), b"hello")
    assert local_names(tmp_path) == {"mia", "ada"}


def test_no_folder_holds_no_names(tmp_path: Path):
    assert local_names(tmp_path / "nowhere") == frozenset()


def test_only_the_owner_may_read_a_key(tmp_path: Path):
    create_signer(tmp_path / "keys", "mia", Role.ML_ENGINEER)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "keys" / "mia.pem").stat().st_mode) == 0o600
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["mia.pem"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o610, 0o601])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int):
    signer = create_signer(tmp_path, "mia", Role.ML_ENGINEER)
    (tmp_path / "mia.pem").chmod(mode)
    with pytest.raises(Refused, match="others may read this private key") as error:
        load_signer(tmp_path, signer.actor)
    assert f"chmod 600 {tmp_path / 'mia.pem'}" in error.value.hint


def test_a_private_key_is_never_overwritten(tmp_path: Path):
    create_signer(tmp_path, "mia", Role.ML_ENGINEER)
    before = (tmp_path / "mia.pem").read_bytes()
    with pytest.raises(InvalidInput, match="mia has a key already"):
        create_signer(tmp_path, "mia", Role.AI_ENGINEER)
    assert (tmp_path / "mia.pem").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["mia.pem"]


def test_a_private_key_is_not_shown(tmp_path: Path):
    signer = create_signer(tmp_path, "mia", Role.ML_ENGINEER)
    assert "private" not in repr(signer).lower()


@pytest.mark.parametrize("name", ["", "..", "../mia", "a/b", "a\\b", ".mia", "a\n", "a" * 65, "mía", "a b", "\0"])
def test_a_name_cannot_leave_the_folder(tmp_path: Path, name: str):
    with pytest.raises(InvalidInput, match="cannot name an actor"):
        create_signer(tmp_path / "keys", name, Role.ML_ENGINEER)
    assert not (tmp_path / "keys").exists()


def test_a_missing_key_says_where_it_was_looked_for(tmp_path: Path):
    with pytest.raises(NotFound, match="mia has no private key here") as error:
        load_signer(tmp_path, Actor("mia", Role.ML_ENGINEER, ""))
    assert error.value.where == str(tmp_path / "mia.pem")


def test_the_key_of_another_time_is_refused(tmp_path: Path):
    old = create_signer(tmp_path / "old", "mia", Role.ML_ENGINEER)
    create_signer(tmp_path / "new", "mia", Role.ML_ENGINEER)
    with pytest.raises(Refused, match=r"not the one that actors\.yaml knows"):
        load_signer(tmp_path / "new", old.actor)


def _pem(key: object, encryption: object = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8\xff\xe0 a JPEG",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        _pem(generate_private_key(SECP256R1())),
        _pem(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"secret")),
        b"x" * 100_000,
    ],
    ids=["empty", "jpeg", "cut", "other curve", "encrypted", "large"],
)
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "mia.pem").write_bytes(content)
    (tmp_path / "mia.pem").chmod(0o600)
    with pytest.raises(InvalidInput, match="not an unencrypted Ed25519 private key"):
        load_signer(tmp_path, Actor("mia", Role.ML_ENGINEER, ""))


def test_a_folder_in_place_of_a_key_is_refused(tmp_path: Path):
    (tmp_path / "mia.pem").mkdir()
    with pytest.raises(InvalidInput, match="the key cannot be read"):
        load_signer(tmp_path, Actor("mia", Role.ML_ENGINEER, ""))


@pytest.mark.parametrize("text", ["", "AAAA", "!" * 44, base64.b64encode(bytes(33)).decode(), "A" * 42 + "B="])
def test_a_public_key_has_one_spelling(text: str):
    with pytest.raises(ValueError, match=r"base64|Ed25519|padding|Only"):
        public_bytes(text)
