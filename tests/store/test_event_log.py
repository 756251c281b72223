"""Several follow one log: each hears everything once, in one order, whoever says it and whoever dies."""

import os
import struct

import pytest

from drivetrain.core.errors import Transient
from drivetrain.store.event_log import EventLog


def say(log, text):
    with log.alone():
        log.news()
        log.append(text)


def hear(log):
    with log.alone():
        return log.news()


def test_each_hears_what_the_others_said(tmp_path):
    one, two = EventLog(tmp_path), EventLog(tmp_path)
    assert one.is_new()
    say(one, b"a\n")
    say(one, b"b\n")
    assert not two.is_new()
    assert hear(two) == b"a\nb\n"
    say(two, b"c\n")
    assert (hear(one), hear(two), hear(one)) == (b"c\n", b"", b"")
    third = EventLog(tmp_path)
    assert hear(third) == b"a\nb\nc\n"
    for log in (one, two, third):
        log.close()


def test_files_follow_each_other_and_go_when_nobody_needs_them(tmp_path):
    one, slow = EventLog(tmp_path, size=8), EventLog(tmp_path, size=8)
    for number in range(6):
        say(one, b"line %d\n" % number)
    assert one.number == 3
    assert hear(slow) == b"".join(b"line %d\n" % number for number in range(6))
    one.forget(2)
    assert sorted(path.name for path in tmp_path.glob("*.log")) == ["0000000003.log"]
    late = EventLog(tmp_path, size=8)
    assert hear(late) == b"line 4\nline 5\n"
    one.forget(99)
    say(late, b"line 6\n")
    assert hear(one) == b"line 6\n"
    for log in (one, slow, late):
        log.close()


def test_what_a_killed_process_left_half_said_was_never_said(tmp_path):
    one, two = EventLog(tmp_path, size=20), EventLog(tmp_path, size=20)
    say(one, b"whole line\n")
    with (tmp_path / "0000000001.log").open("ab") as file:  # bytes, but the head does not count them
        file.write(b"half a line that is longer than what comes after it")
    say(two, b"next line\n")
    assert hear(one) == b"next line\n"
    say(one, b"in the next file\n")
    assert hear(two) == b"in the next file\n"
    fresh = EventLog(tmp_path)
    assert hear(fresh) == b"whole line\nnext line\nin the next file\n"
    for log in (one, two, fresh):
        log.close()


def test_after_a_power_cut_the_head_may_know_more_than_the_file(tmp_path):
    log = EventLog(tmp_path)
    say(log, b"kept\n")
    log.close()
    (tmp_path / "head").write_bytes(struct.pack("<QQ", 1, 500))
    again = EventLog(tmp_path)
    assert hear(again) == b"kept\n"
    say(again, b"more\n")
    fresh = EventLog(tmp_path)
    assert hear(fresh) == b"kept\nmore\n"
    again.close()
    fresh.close()


def test_a_full_disk_is_told_and_nothing_is_said(tmp_path, monkeypatch):
    one, two = EventLog(tmp_path), EventLog(tmp_path)
    say(one, b"a\n")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(Transient, match="No space left"):
        say(one, b"b\n")
    monkeypatch.undo()
    assert hear(two) == b"a\n"
    say(one, b"c\n")
    assert hear(two) == b"c\n"
    one.close()
    two.close()
