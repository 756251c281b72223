"""Rates and quotas of a caller, by a clock that the test holds."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.access.api_keys import Limits
from drivetrain.access.caller import Caller, Clock, QuotaExceeded, RateLimited
from drivetrain.access.usage import FILE, UsageTable

DAY = 86_400
WORKERS = 3


@dataclass
class Hands:
    """What the clock of a test shows."""

    steady: float = 1e6
    wall: float = 20_000.5 * DAY

    def clock(self) -> Clock:
        return Clock(lambda: self.steady, lambda: self.wall)


@dataclass
class Exact:
    """The generic cell rate algorithm as ITU-T I.371 has it (virtual scheduling), in exact numbers."""

    interval: Fraction
    arrival: Fraction = Fraction(0)

    def admits(self, now: Fraction) -> bool:
        arrival = max(self.arrival, now)
        if arrival + self.interval - now > max(1, self.interval):
            return False
        self.arrival = arrival + self.interval
        return True


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[UsageTable]]:
    """The same table, open in several workers."""
    path = tmp_path_factory.mktemp("state") / FILE
    tables = [UsageTable(path) for _ in range(WORKERS)]
    for table in tables:
        table.widen()
    yield tables
    for table in tables:
        table.close()


def make(tables: list[UsageTable], limits: Limits, hands: Hands, key: bytes | None = None) -> list[Caller]:
    """A caller (with a new key), as each worker sees them."""
    key = key or secrets.token_bytes(32)
    return [Caller("shop", limits, table.records([key])[key], hands.clock()) for table in tables]


def admits(caller: Caller, now: float | None = None) -> bool:
    try:
        caller.admit(now)
    except RateLimited:
        return False
    return True


GAPS = st.lists(st.tuples(st.sampled_from([0, 1, 5, 8, 40, 64, 200]), st.integers(0, WORKERS - 1)), max_size=120)
SIXTY_FOURTHS = [1, 2, 8, 16, 32, 64, 128]
"""Intervals that a float holds exactly, as the times are: so the model and the code have to agree to the last one."""


@given(st.sampled_from(SIXTY_FOURTHS), GAPS)
def test_workers_together_admit_what_one_exact_clock_would(
    tables: list[UsageTable], interval: int, asked: list[tuple[int, int]]
) -> None:
    callers = make(tables, Limits(requests_per_second=64 / interval), Hands())
    exact, now = Exact(Fraction(interval, 64)), Fraction(1000)
    for gap, worker in asked:
        now += Fraction(gap, 64)
        assert admits(callers[worker], float(now)) == exact.admits(now)


@given(
    st.floats(0.5, 100),
    st.lists(st.floats(0, 0.5), max_size=60).map(lambda gaps: [sum(gaps[:n]) for n in range(len(gaps))]),
)
def test_no_stretch_of_time_has_more_requests_than_its_seconds_and_one_burst(
    tables: list[UsageTable], rate: float, times: list[float]
) -> None:
    callers = make(tables, Limits(requests_per_second=rate), Hands())
    taken = [now for turn, now in enumerate(times) if admits(callers[turn % WORKERS], now)]
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= (taken[last] - taken[first]) * rate + max(rate, 1) + 1e-3


def test_who_asks_as_often_as_they_may_is_never_refused(tables: list[UsageTable]) -> None:
    callers = make(tables, Limits(requests_per_second=7), Hands())
    assert all(admits(callers[number % WORKERS], 1e6 + number / 7) for number in range(1000))


def test_who_is_refused_learns_when_to_come_back(tables: list[UsageTable]) -> None:
    hands = Hands()
    caller = make(tables, Limits(requests_per_second=0.1), hands)[0]
    caller.admit()
    hands.steady += 2.5
    with pytest.raises(RateLimited) as caught:
        caller.admit()
    assert caught.value.seconds == 8
    hands.steady += 7.5
    caller.admit()


def test_callers_do_not_use_up_each_others_requests(tables: list[UsageTable]) -> None:
    limits, hands = Limits(requests_per_second=1), Hands()
    shop, bank = make(tables, limits, hands)[0], make(tables, limits, hands)[0]
    assert [admits(shop), admits(shop), admits(bank)] == [True, False, True]


def test_who_has_no_limits_is_never_refused(tables: list[UsageTable]) -> None:
    caller = make(tables, Limits(), Hands())[0]
    for _ in range(1000):
        caller.admit()
        caller.charge(10**9)


@pytest.mark.parametrize("uptime", [0.0, 3.0, 999_999.0])
def test_a_reboot_forgets_the_rate_and_keeps_the_quota(tables: list[UsageTable], uptime: float) -> None:
    limits, hands, key = Limits(0.5, 10), Hands(), secrets.token_bytes(32)
    caller = make(tables, limits, hands, key)[0]
    caller.admit()
    caller.charge(10)
    hands.steady = uptime
    caller = make(tables, limits, hands, key)[0]
    assert [admits(caller), admits(caller)] == [uptime != 999_999.0, False]
    with pytest.raises(QuotaExceeded):
        caller.charge(1)


def test_slower_limits_do_not_follow_a_caller_into_faster_ones(tables: list[UsageTable]) -> None:
    hands, key = Hands(), secrets.token_bytes(32)
    make(tables, Limits(requests_per_second=0.001), hands, key)[0].admit()
    faster = make(tables, Limits(requests_per_second=3), hands, key)[0]
    assert [admits(faster) for _ in range(4)] == [True, True, True, False]


def test_rows_are_counted_all_or_none(tables: list[UsageTable]) -> None:
    hands = Hands()
    first, second, third = make(tables, Limits(rows_per_day=10), hands)
    first.charge(6)
    for caller in (first, second, third):
        with pytest.raises(QuotaExceeded, match="4 rows left today, not 5") as caught:
            caller.charge(5)
    assert caught.value.seconds == DAY / 2
    second.charge(4)
    with pytest.raises(QuotaExceeded):
        third.charge(1)


def test_a_quota_begins_anew_at_midnight(tables: list[UsageTable]) -> None:
    hands = Hands()
    first, second, _ = make(tables, Limits(rows_per_day=10), hands)
    first.charge(5)
    second.charge(5)
    hands.wall = 20_001 * DAY - 0.5
    with pytest.raises(QuotaExceeded) as caught:
        first.charge(1)
    assert caught.value.seconds == 1
    hands.wall += 0.5
    first.charge(9)
    with pytest.raises(QuotaExceeded):
        second.charge(2)
    second.charge(1)
    hands.wall += 5 * DAY
    second.charge(10)


@given(st.lists(st.tuples(st.integers(0, WORKERS - 1), st.integers(0, 6), st.sampled_from([0, 0, 0, 1, 3]))))
def test_a_quota_is_what_one_counter_would_count(tables: list[UsageTable], charges: list[tuple[int, int, int]]) -> None:
    hands = Hands()
    callers = make(tables, Limits(rows_per_day=20), hands)
    used = 0
    for worker, rows, days in charges:
        hands.wall += days * DAY
        used = 0 if days else used
        fits = used + rows <= 20
        used += rows if fits else 0
        try:
            callers[worker].charge(rows)
            assert fits
        except QuotaExceeded:
            assert not fits
