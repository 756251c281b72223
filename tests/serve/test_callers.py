"""Who is calling, and how often they may."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.access.api_keys import FILE, create_key, revoke_key
from drivetrain.core.errors import Forbidden
from drivetrain.serve.callers import Callers, RateLimit, RateLimited


def test_a_key_names_its_caller_in_either_header(tmp_path: Path) -> None:
    key = create_key(tmp_path, "shop")
    callers = Callers(tmp_path)
    assert callers.name(f"Bearer {key}", None) == "shop"
    assert callers.name(None, key) == "shop"
    assert callers.names == ("shop",)


@pytest.mark.parametrize(
    ("authorization", "api_key", "code"),
    [
        (None, None, "key_missing"),
        ("Bearer wrong", None, "key_unknown"),
        (None, "", "key_unknown"),
        ("", None, "key_unknown"),
        ("Basic dXNlcjpwYXNz", None, "key_unknown"),
        (None, "\udcff", "key_unknown"),
    ],
)
def test_others_are_refused(tmp_path: Path, authorization: str | None, api_key: str | None, code: str) -> None:
    create_key(tmp_path, "shop")
    with pytest.raises(Forbidden) as caught:
        Callers(tmp_path).name(authorization, api_key)
    assert caught.value.code == code
    assert caught.value.hint


def test_a_new_key_works_at_once_and_a_revoked_one_after_the_next_look(tmp_path: Path) -> None:
    callers = Callers(tmp_path)
    key = create_key(tmp_path, "shop")
    assert callers.name(None, key) == "shop"
    revoke_key(tmp_path, "shop")
    callers.refresh()
    with pytest.raises(Forbidden, match="not known"):
        callers.name(None, key)


def test_a_file_that_cannot_be_read_leaves_the_keys(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    key = create_key(tmp_path, "shop")
    callers = Callers(tmp_path)
    (tmp_path / FILE).write_bytes(os.urandom(50))
    callers.refresh()
    assert callers.name(None, key) == "shop"
    assert "not a list of API keys" in capfd.readouterr().err


def allowed(limit: RateLimit, times: list[float]) -> list[float]:
    taken = []
    for now in times:
        try:
            limit.take("shop", now)
        except RateLimited:
            continue
        taken.append(now)
    return taken


@settings(deadline=None)
@given(
    st.floats(0.5, 100),
    st.lists(st.floats(0, 0.5), max_size=60).map(lambda gaps: [sum(gaps[:n]) for n in range(len(gaps))]),
)
def test_no_stretch_of_time_has_more_requests_than_its_seconds_and_one_burst(rate: float, times: list[float]) -> None:
    taken = allowed(RateLimit(rate), times)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= (taken[last] - taken[first]) * rate + max(rate, 1) + 1e-3


def test_who_asks_as_often_as_they_may_is_never_refused() -> None:
    times = [number / 7 for number in range(100)]
    assert allowed(RateLimit(7), times) == times


def test_callers_do_not_use_up_each_others_requests() -> None:
    limit = RateLimit(1)
    limit.take("shop", 0)
    with pytest.raises(RateLimited) as caught:
        limit.take("shop", 0.1)
    assert caught.value.seconds == 1
    limit.take("bank", 0.1)
