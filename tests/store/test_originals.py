"""Originals: whole or absent, and gone when their days are over."""

import os
import time

from drivetrain.store.originals import Originals

DAY = 86400


def test_each_rule_counts_for_its_own(tmp_path):
    originals, now = Originals(tmp_path), time.time()
    originals.keep(b"short", "aa11", 10)
    originals.keep(b"long", "bb22", 90)
    originals.keep(b"both", "cc33", 10)
    originals.keep(b"both", "cc33", 90)
    assert originals.sweep(now + 11 * DAY) == 2
    assert originals.find("aa11") is None
    assert originals.find("bb22") is not None
    assert originals.find("cc33") is not None
    assert originals.sweep(now + 91 * DAY) == 2


def test_an_original_that_comes_again_begins_anew(tmp_path):
    originals = Originals(tmp_path)
    originals.keep(b"x", "aa11", 10)
    path = originals.find("aa11")
    os.utime(path, (1, 1))
    originals.keep(b"x", "aa11", 10)
    assert originals.sweep() == 0


def test_what_a_kill_left_goes_and_what_is_not_ours_stays(tmp_path):
    originals = Originals(tmp_path)
    assert originals.sweep() == 0
    originals.keep(b"x", "aa11", 10)
    left = tmp_path / "originals" / "10-days" / "aa" / ".new-1"
    left.write_bytes(b"half")
    (tmp_path / "originals" / "for-days").mkdir()
    (tmp_path / "originals" / "for-days" / "mine").write_bytes(b"x")
    assert originals.sweep(time.time() + 2 * DAY) == 0
    assert not left.exists()
    assert originals.sweep(time.time() + 99 * DAY) == 1
    assert (tmp_path / "originals" / "for-days" / "mine").exists()
