"""A spool keeps what it promised, whatever ends the process, and cuts off what it never promised."""

import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.errors import Tampered, Transient
from drivetrain.ingest.spool import Spool

FOREVER = """
import sys
from pathlib import Path
from drivetrain.ingest.spool import Spool
with Spool(Path(sys.argv[1]), roll_bytes=500) as spool:
    while True:
        spool.append([b"%d" % number for number in range(spool.next, spool.next + 3)])
        print(spool.next - 1, flush=True)
"""


def records(folder, first=1):
    with Spool(folder) as spool:
        return list(spool.records(first))


def test_records_are_numbered_from_one_over_files_and_openings(tmp_path):
    for block in ([b"a", b"b"], [b"c"], [b"d" * 40], [b"e"]):
        with Spool(tmp_path, roll_bytes=20) as spool:
            spool.append(block)
            identity = spool.id
    assert records(tmp_path) == [(1, b"a"), (2, b"b"), (3, b"c"), (4, b"d" * 40), (5, b"e")]
    assert records(tmp_path, 4) == [(4, b"d" * 40), (5, b"e")]
    assert records(tmp_path, 6) == []
    with Spool(tmp_path) as spool:
        assert (spool.id, spool.next, spool.first()) == (identity, 6, 1)


def test_only_files_that_are_behind_as_a_whole_are_forgotten(tmp_path):
    with Spool(tmp_path, roll_bytes=20) as spool:
        for number in range(1, 10):
            spool.append([b"%d" % number * 8])
        spool.forget(4)
        assert spool.first() == 3
        assert next(spool.records()) == (3, b"33333333")
        spool.forget(10)
        assert (spool.first(), spool.next) == (9, 10), "the file that grows stays"
        assert [number for number, _ in spool.records()] == [9]


@settings(max_examples=25)
@given(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=5), st.integers(0, 200), st.binary(max_size=30))
def test_a_half_written_end_is_cut_off(tmp_path_factory, kept, cut, junk):
    folder = tmp_path_factory.mktemp("spool")
    with Spool(folder) as spool:
        spool.append(kept)
    (file,) = folder.glob("*.records")
    whole = file.read_bytes()
    with Spool(folder) as spool:
        spool.append([b"the record that a kill cut in two"])
    torn = file.read_bytes()
    place = min(len(whole) + cut, len(torn) - 1)
    file.write_bytes(torn[:place] + (junk if place > len(whole) + 8 else bytes(len(junk))))
    assert records(folder) == list(enumerate(kept, 1))
    with Spool(folder) as spool:
        spool.append([b"next"])
    assert records(folder) == list(enumerate([*kept, b"next"], 1))


def test_a_damaged_record_in_the_middle_is_no_end(tmp_path):
    with Spool(tmp_path, roll_bytes=20) as spool:
        for one in (b"first", b"second", b"third"):
            spool.append([one])
    file = min(tmp_path.glob("*.records"))
    file.write_bytes(file.read_bytes().replace(b"second", b"sec0nd"))
    with pytest.raises(Tampered, match="record 2") as caught:
        records(tmp_path)
    assert caught.value.hint


def test_one_process_at_a_time(tmp_path):
    with Spool(tmp_path), pytest.raises(Transient, match=str(os.getpid())):
        Spool(tmp_path)
    with Spool(tmp_path) as spool:
        assert spool.next == 1


def test_what_was_promised_outlasts_a_kill(tmp_path):
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", FOREVER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        promised = [int(process.stdout.readline()) for _ in range(40)][-1]
        process.send_signal(signal.SIGKILL)
        promised = int(([promised, *process.stdout.read().split()])[-1])
        process.wait()
        process.stdout.close()
        there = records(tmp_path)
        assert there[:promised] == [(number, b"%d" % number) for number in range(1, promised + 1)]
        assert there == [(number, b"%d" % number) for number in range(1, len(there) + 1)]
