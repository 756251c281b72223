"""Who is calling: keys in headers, keys that change while the server runs, limits of keys and of the service."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from drivetrain.access.api_keys import FILE, ApiKey, create_key, load_keys, revoke_key, set_limits
from drivetrain.access.caller import REAL_TIME, Clock, QuotaExceeded, RateLimited
from drivetrain.access.scopes import OutOfScope
from drivetrain.access.usage import FILE as TABLE
from drivetrain.access.usage import UsageTable
from drivetrain.core.errors import Forbidden
from drivetrain.serve import callers as door
from drivetrain.serve.callers import Callers


@pytest.fixture
def meet(tmp_path: Path) -> Callable[..., Callers]:
    """Another worker of the project in the test's folder."""

    def meet(rate: float | None = None, rows: int | None = None, clock: Clock = REAL_TIME) -> Callers:
        usage = UsageTable(tmp_path / TABLE)
        return Callers(tmp_path, usage, requests_per_second=rate, rows_per_day=rows, clock=clock)

    return meet


def test_a_key_names_its_caller_in_either_header(tmp_path: Path, meet: Callable[..., Callers]) -> None:
    key = create_key(tmp_path, "shop")
    callers = meet()
    for authorization, api_key in [(f"Bearer {key}", None), (f"bearer  {key}", None), (None, key), (f" {key} ", "x")]:
        assert callers.find(authorization, api_key).name == "shop"
        assert callers.find(authorization, api_key) is callers.find(None, key)
    assert callers.names == ("shop",)


@pytest.mark.parametrize(
    ("authorization", "api_key", "code"),
    [
        (None, None, "key_missing"),
        ("Bearer wrong", None, "key_unknown"),
        (None, "", "key_unknown"),
        ("", None, "key_unknown"),
        ("Bearer", None, "key_unknown"),
        ("Basic dXNlcjpwYXNz", None, "key_unknown"),
        (None, "\udcff", "key_unknown"),
    ],
)
def test_others_are_refused(
    tmp_path: Path, meet: Callable[..., Callers], authorization: str | None, api_key: str | None, code: str
) -> None:
    create_key(tmp_path, "shop")
    callers = meet()
    for _ in range(2):
        with pytest.raises(Forbidden) as caught:
            callers.find(authorization, api_key)
        assert caught.value.code == code
        assert caught.value.hint


def test_a_key_opens_what_it_is_good_for_and_nothing_else(tmp_path: Path, meet: Callable[..., Callers]) -> None:
    everything, talk = create_key(tmp_path, "shop"), create_key(tmp_path, "widget", only=("chat",), rows_per_day=1)
    callers = meet(rate=1)
    chat, predict = callers.only("chat"), callers.only("predict")
    assert chat.admit(None, talk).name == "widget"
    for _ in range(3):  # who is refused spends nothing
        with pytest.raises(OutOfScope, match="not good for predict"):
            predict.admit(None, talk)
    assert predict.admit(None, everything).name == "shop"
    with pytest.raises(RateLimited):
        chat.admit(None, everything)


def test_a_new_key_works_at_once_and_a_revoked_one_after_the_next_look(
    tmp_path: Path, meet: Callable[..., Callers]
) -> None:
    callers = meet()
    key = create_key(tmp_path, "shop")
    assert callers.find(None, key).name == "shop"
    revoke_key(tmp_path, "shop")
    callers.refresh()
    with pytest.raises(Forbidden, match="not known"):
        callers.find(None, key)
    assert callers.names == ()


def test_a_flood_of_wrong_keys_reads_no_file_and_hides_no_new_key(
    tmp_path: Path, meet: Callable[..., Callers], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def load(state: Path) -> Mapping[bytes, ApiKey]:
        read.append(state)
        return load_keys(state)

    monkeypatch.setattr(door, "load_keys", load)
    create_key(tmp_path, "old")
    callers = meet()

    def flood() -> None:
        for number in range(100):
            with pytest.raises(Forbidden):
                callers.find(None, f"wrong {number}")

    flood()
    key = create_key(tmp_path, "shop")
    assert callers.find(None, key).name == "shop"
    flood()
    assert len(read) == 2


def test_a_file_that_cannot_be_read_leaves_the_keys(
    tmp_path: Path, meet: Callable[..., Callers], capfd: pytest.CaptureFixture[str]
) -> None:
    key = create_key(tmp_path, "shop")
    callers = meet()
    (tmp_path / FILE).write_bytes(os.urandom(50))
    callers.refresh()
    assert callers.find(None, key).name == "shop"
    assert "not a list of API keys" in capfd.readouterr().err


def test_the_limits_of_a_key_come_before_those_of_the_service(tmp_path: Path, meet: Callable[..., Callers]) -> None:
    plain = create_key(tmp_path, "plain")
    own = create_key(tmp_path, "own", requests_per_second=2, rows_per_day=7)
    callers = meet(rate=1, rows=5)
    callers.find(None, plain).charge(5)
    callers.find(None, own).charge(7)
    for key, burst in ((plain, 1), (own, 2)):
        for _ in range(burst):
            callers.find(None, key).admit(now=1000)
        with pytest.raises(RateLimited):
            callers.find(None, key).admit(now=1000)
        with pytest.raises(QuotaExceeded):
            callers.find(None, key).charge(1)


def test_changed_limits_hold_from_the_next_look_on_and_forgive_nothing(
    tmp_path: Path, meet: Callable[..., Callers]
) -> None:
    key = create_key(tmp_path, "shop", rows_per_day=10)
    callers = meet()
    callers.find(None, key).charge(8)
    set_limits(tmp_path, "shop", requests_per_second=1, rows_per_day=20)
    callers.refresh()
    callers.find(None, key).charge(12)
    callers.find(None, key).admit(now=1000)
    with pytest.raises(QuotaExceeded):
        callers.find(None, key).charge(1)
    with pytest.raises(RateLimited):
        callers.find(None, key).admit(now=1000)


def test_workers_that_start_later_are_counted_after_the_next_look(tmp_path: Path, meet: Callable[..., Callers]) -> None:
    key = create_key(tmp_path, "shop")
    first = meet(rows=10)
    second = meet(rows=10)
    second.find(None, key).charge(9)
    first.refresh()
    with pytest.raises(QuotaExceeded, match="1 rows left"):
        first.find(None, key).charge(2)
    assert meet(rows=9).find(None, key).limits.rows_per_day == 9


def test_it_costs_next_to_nothing(tmp_path: Path, meet: Callable[..., Callers]) -> None:
    """About 1 µs is meant; the bound only catches what is of another order: a read of the file, a hash each time."""
    key = create_key(tmp_path, "shop", requests_per_second=1e9, rows_per_day=10**12)
    callers, fastest = meet(), float("inf")
    for _ in range(200):
        began = time.perf_counter()
        for _ in range(100):
            caller = callers.find(key, None)
            caller.admit()
            caller.charge(1)
        fastest = min(fastest, (time.perf_counter() - began) / 100)
    assert fastest < 4e-6
