from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drivetrain.access.api_keys import (
    FILE,
    MOST_KEYS,
    ApiKey,
    Limits,
    create_key,
    hash_key,
    list_keys,
    load_keys,
    revoke_key,
    set_limits,
)
from drivetrain.access.scopes import EVERYTHING
from drivetrain.core.errors import InvalidInput, NotFound


def names(state: Path) -> dict[bytes, str]:
    return {digest: key.name for digest, key in load_keys(state).items()}


def test_a_key_names_its_caller(tmp_path: Path):
    shop, desk = create_key(tmp_path, "shop"), create_key(tmp_path, "desk")
    keys = names(tmp_path)
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
    assert names(tmp_path) == {hash_key(desk): "desk"}
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


def test_a_key_has_limits_of_its_own_or_those_of_the_service(tmp_path: Path):
    create_key(tmp_path, "plain")
    create_key(tmp_path, "slow", requests_per_second=0.5)
    create_key(tmp_path, "small", rows_per_day=10)
    assert [key.limits(Limits(100, 1000)) for key in list_keys(tmp_path)] == [(100, 1000), (0.5, 1000), (100, 10)]
    assert list_keys(tmp_path)[0].limits(Limits()) == (None, None)


def test_limits_change_and_the_secret_stays(tmp_path: Path):
    secret = create_key(tmp_path, "shop", requests_per_second=1, rows_per_day=1)
    create_key(tmp_path, "desk", rows_per_day=5)
    set_limits(tmp_path, "shop", requests_per_second=9.5, rows_per_day=None)
    assert load_keys(tmp_path)[hash_key(secret)].limits(Limits()) == (9.5, None)
    assert [(key.name, key.rows_per_day) for key in list_keys(tmp_path)] == [("shop", None), ("desk", 5)]
    with pytest.raises(NotFound, match="no API key called 'bank'"):
        set_limits(tmp_path, "bank", requests_per_second=None, rows_per_day=None)


@pytest.mark.parametrize(
    ("rate", "rows"), [(0, None), (-1, None), (float("nan"), None), (float("inf"), None), (None, 0), (1, -5)]
)
def test_limits_that_are_none_are_refused(tmp_path: Path, rate: float | None, rows: int | None):
    create_key(tmp_path, "shop")
    before = list_keys(tmp_path)
    for change in (create_key, set_limits):
        with pytest.raises(InvalidInput, match="is no limit for a key"):
            change(tmp_path, "shop", requests_per_second=rate, rows_per_day=rows)
    assert list_keys(tmp_path) == before


def test_keys_made_before_there_were_limits_are_read(tmp_path: Path):
    (tmp_path / FILE).write_text(
        f'[{{"name": "shop", "sha256": "{"ab" * 32}", "made_at": "2026-01-01T00:00:00+00:00"}}]'
    )
    assert list_keys(tmp_path) == (ApiKey("shop", "ab" * 32, "2026-01-01T00:00:00+00:00", None, None),)
    assert list_keys(tmp_path)[0].scopes == EVERYTHING


def test_a_key_is_good_for_everything_or_for_what_it_was_made_for(tmp_path: Path):
    create_key(tmp_path, "shop")
    create_key(tmp_path, "widget", only=("search", "chat", "chat"))
    shop, widget = list_keys(tmp_path)
    assert (shop.only, shop.scopes) == (None, EVERYTHING)
    assert (widget.only, widget.scopes) == (("search", "chat"), {"search", "chat"})
    set_limits(tmp_path, "widget", requests_per_second=1, rows_per_day=None)
    assert list_keys(tmp_path)[1].only == ("search", "chat")


def test_a_key_is_good_for_what_there_is(tmp_path: Path):
    with pytest.raises(InvalidInput, match="no question is called 'talk'") as error:
        create_key(tmp_path, "widget", only=("chat", "talk"))  # type: ignore[arg-type]  # what a caller of Python may write
    assert error.value.code == "api_key_scope_unknown"
    assert "chat" in error.value.hint
    assert list_keys(tmp_path) == ()


def test_there_are_only_so_many_keys(tmp_path: Path):
    key = '{"name": "caller-%d", "sha256": "%064x", "made_at": ""}'
    (tmp_path / FILE).write_text("[" + ",".join(key % (number, number) for number in range(MOST_KEYS)) + "]")
    with pytest.raises(InvalidInput) as error:
        create_key(tmp_path, "shop")
    assert error.value.code == "api_keys_too_many"
    revoke_key(tmp_path, "caller-7")
    create_key(tmp_path, "shop")


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
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b"\xff",
        b'[{"name":"a","sha256":"zz","made_at":""}]',
        b'[{"name":"a","sha256":"","made_at":"","rows_per_day":0}]',
        b'[{"name":"a","sha256":"","made_at":"","only":[]}]',
        b'[{"name":"a","sha256":"","made_at":"","only":["all"]}]',
        b"[" * 100_000,
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(InvalidInput) as error:
        load_keys(tmp_path)
    assert error.value.where == str(tmp_path / FILE)


def test_any_text_can_be_looked_up():
    assert len(hash_key("\udcff\U0001f511")) == 32
