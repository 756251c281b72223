from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drivetrain.access.api_keys import FILE, create_key, hash_key, list_keys, load_keys, revoke_key
from drivetrain.core.errors import InvalidInput, NotFound


def test_a_key_names_its_caller(tmp_path: Path):
    shop, desk = create_key(tmp_path, "shop"), create_key(tmp_path, "desk")
    keys = load_keys(tmp_path)
    assert keys == {hash_key(shop): "shop", hash_key(desk): "desk"}
    assert hash_key("dt_guess") not in keys


def test_a_key_holds_256_random_bits(tmp_path: Path):
    secrets = {create_key(tmp_path, f"caller-{number}") for number in range(20)}
    assert len(secrets) == 20
    assert all(secret.startswith("dt_") and len(secret) == 3 + 43 for secret in secrets)


def test_the_secret_is_kept_nowhere(tmp_path: Path):
    secret = create_key(tmp_path, "shop")
    assert secret.removeprefix("dt_").encode() not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_a_revoked_key_opens_nothing(tmp_path: Path):
    shop, desk = create_key(tmp_path, "shop"), create_key(tmp_path, "desk")
    revoke_key(tmp_path, "shop")
    assert load_keys(tmp_path) == {hash_key(desk): "desk"}
    assert create_key(tmp_path, "shop") != shop
    assert [key.name for key in list_keys(tmp_path)] == ["desk", "shop"]


def test_revoking_an_unknown_key_names_the_others(tmp_path: Path):
    create_key(tmp_path, "shop")
    with pytest.raises(NotFound, match="no API key called 'desk'") as error:
        revoke_key(tmp_path, "desk")
    assert error.value.hint == "known: shop"


def test_a_name_is_given_once(tmp_path: Path):
    create_key(tmp_path, "shop")
    with pytest.raises(InvalidInput, match="shop has a key already"):
        create_key(tmp_path, "shop")
    assert len(load_keys(tmp_path)) == 1


@pytest.mark.parametrize("name", ["", "a b", "../x", "a\n", "x" * 65])
def test_a_name_is_a_word(tmp_path: Path, name: str):
    with pytest.raises(InvalidInput, match="cannot name a caller"):
        create_key(tmp_path, name)


def test_keys_made_at_once_are_all_kept(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        secrets = list(pool.map(lambda number: create_key(tmp_path, f"caller-{number}"), range(24)))
    assert set(load_keys(tmp_path)) == {hash_key(secret) for secret in secrets}


def test_no_file_holds_no_keys(tmp_path: Path):
    assert load_keys(tmp_path) == {}


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b"\xff", b'[{"name":"a","sha256":"zz","made_at":""}]', b"[" * 100_000]
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(InvalidInput) as error:
        load_keys(tmp_path)
    assert error.value.where == str(tmp_path / FILE)


def test_any_text_can_be_looked_up():
    assert len(hash_key("\udcff\U0001f511")) == 32
