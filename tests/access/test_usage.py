"""The table of what keys used: shared by workers that are real processes, kept over kills and restarts."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivetrain.access.api_keys import MOST_KEYS, Limits, create_key, hash_key
from drivetrain.access.caller import REAL_TIME, Caller, QuotaExceeded
from drivetrain.access.usage import FILE, MOST_WORKERS, UsageTable, key_uses
from drivetrain.core.errors import InvalidInput, Transient

NO_LIMITS = Limits()
WORKER = """
import sys, time
from pathlib import Path
from drivetrain.access.api_keys import Limits
from drivetrain.access.caller import REAL_TIME, Caller, QuotaExceeded, RateLimited
from drivetrain.access.usage import UsageTable

path, key, rate, rows, job = Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), *sys.argv[3:]
table = UsageTable(path)
print("open", flush=True)
until = float(input())
table.widen()
caller = Caller("shop", Limits(float(rate) or None, int(rows) or None), table.records([key])[key], REAL_TIME)
done = 0
if job == "add":
    for done in range(1, 100_001):
        caller.charge(1)
if job == "exhaust":
    try:
        while True:
            caller.charge(1)
            done += 1
    except QuotaExceeded:
        pass
if job == "hurry":
    while (now := time.monotonic()) < until:
        try:
            caller.admit(now)
            done += 1
        except RateLimited:
            pass
if job == "charge 700":
    caller.charge(700)
    done = 700
print(done, flush=True)
input()
"""


class Worker:
    """A process that has the table open and begins its job when it is told to."""

    def __init__(self, path: Path, key: bytes, job: str, limits: Limits) -> None:
        rate, rows = limits.requests_per_second or 0, limits.rows_per_day or 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(path), key.hex(), str(rate), str(rows), job],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.line() == "open"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def begin(self, until: float = 0.0) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{until}\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def start(key: bytes, job: str, limits: Limits = NO_LIMITS) -> Worker:
        workers.append(Worker(tmp_path / FILE, key, job, limits))
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()


def test_no_row_is_lost_between_workers(tmp_path: Path, start: Callable[..., Worker]) -> None:
    key = hash_key(create_key(tmp_path, "shop"))
    workers = [start(key, "add") for _ in range(2)]
    for worker in workers:
        worker.begin()
    assert [worker.line() for worker in workers] == ["100000", "100000"]
    assert [use.rows_today for use in key_uses(tmp_path, Limits())] == [200_000]


def test_workers_share_a_quota(start: Callable[..., Worker]) -> None:
    key, limits = secrets.token_bytes(32), Limits(rows_per_day=50_000)
    workers = [start(key, "exhaust", limits) for _ in range(2)]
    for worker in workers:
        worker.begin()
    assert 50_000 <= sum(int(worker.line()) for worker in workers) <= 50_001


def test_workers_share_a_rate(start: Callable[..., Worker]) -> None:
    """Both ask as fast as they can: what is let through is the burst and the rate, as if it were one worker."""
    key, rate, seconds = secrets.token_bytes(32), 20_000, 0.5
    workers = [start(key, "hurry", Limits(requests_per_second=rate)) for _ in range(2)]
    began = time.monotonic()
    for worker in workers:
        worker.begin(until=began + seconds)
    admitted = sum(int(worker.line()) for worker in workers)
    assert 0.5 * rate * (1 + seconds) < admitted <= rate * (1 + seconds) + 2


def test_a_quota_survives_kill_9(tmp_path: Path, start: Callable[..., Worker]) -> None:
    key, limits = secrets.token_bytes(32), Limits(rows_per_day=1000)
    worker = start(key, "charge 700", limits)
    worker.begin()
    assert worker.line() == "700"
    worker.kill()
    record = UsageTable(tmp_path / FILE).records([key])[key]
    assert record.lane == 0  # the dead worker's
    caller = Caller("shop", limits, record, REAL_TIME)
    with pytest.raises(QuotaExceeded, match="300 rows left today, not 301"):
        caller.charge(301)
    caller.charge(300)
    with pytest.raises(QuotaExceeded):
        caller.charge(1)


def test_the_places_of_revoked_keys_are_given_to_new_ones_empty(tmp_path: Path) -> None:
    table = UsageTable(tmp_path / FILE)
    limits = Limits(0.01, 10)
    for _ in range(4):
        keys = [secrets.token_bytes(32) for _ in range(MOST_KEYS)]
        for key, record in table.records(keys).items():
            caller = Caller(key.hex(), limits, record, REAL_TIME)
            caller.admit()
            caller.charge(10)
            with pytest.raises(QuotaExceeded):
                caller.charge(1)


def test_a_key_keeps_its_place_whatever_becomes_of_others(tmp_path: Path) -> None:
    table = UsageTable(tmp_path / FILE)
    key, limits = secrets.token_bytes(32), Limits(rows_per_day=10)
    Caller("shop", limits, table.records([secrets.token_bytes(32), key])[key], REAL_TIME).charge(4)
    table.records([])
    Caller("shop", limits, table.records([key, secrets.token_bytes(32)])[key], REAL_TIME).charge(6)
    with pytest.raises(QuotaExceeded):
        Caller("shop", limits, table.records([key])[key], REAL_TIME).charge(1)


def test_more_keys_than_there_are_places_for_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        UsageTable(tmp_path / FILE).records([number.to_bytes(32, "big") for number in range(MOST_KEYS + 1)])
    assert caught.value.code == "api_keys_too_many"


def test_more_workers_than_there_are_lanes_for_are_refused(tmp_path: Path) -> None:
    tables = [UsageTable(tmp_path / FILE) for _ in range(MOST_WORKERS)]
    with pytest.raises(Transient) as caught:
        UsageTable(tmp_path / FILE)
    assert caught.value.code == "usage_lanes_taken"
    tables[7].close()
    assert UsageTable(tmp_path / FILE).records([b"key"])[b"key"].lane == 7


@pytest.mark.parametrize("content", [b"", b"not a table", bytes(3_000_000)])
def test_a_file_that_is_no_table_is_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / FILE
    path.parent.mkdir()
    path.write_bytes(content)
    create_key(tmp_path, "shop")
    assert [use.rows_today for use in key_uses(tmp_path, Limits())] == [0]
    Caller("shop", Limits(1, 1), UsageTable(path).records([b"key"])[b"key"], REAL_TIME).charge(1)


def test_uses_tell_the_limits_that_hold_and_the_rows_of_the_day(tmp_path: Path) -> None:
    own = hash_key(create_key(tmp_path, "own", requests_per_second=2, rows_per_day=10))
    create_key(tmp_path, "plain")
    assert [use.rows_today for use in key_uses(tmp_path, Limits())] == [0, 0]
    Caller("own", Limits(2, 10), UsageTable(tmp_path / FILE).records([own])[own], REAL_TIME).charge(7)
    own_use, plain_use = key_uses(tmp_path, Limits(100, None))
    assert (own_use.name, own_use.requests_per_second, own_use.rows_per_day, own_use.rows_today) == ("own", 2, 10, 7)
    assert (plain_use.requests_per_second, plain_use.rows_per_day, plain_use.rows_today) == (100, None, 0)
    assert [use.rows_today for use in key_uses(tmp_path, Limits(), now=time.time() + 86_400)] == [0, 0]
