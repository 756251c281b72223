"""The log is told of every kind of mishap, and never drowned in them."""

import sys
from contextlib import suppress
from pathlib import Path

import pytest

from drivetrain.serve.mishaps import Log, Mishaps


def test_a_flood_is_told_once_and_then_counted(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("drivetrain.serve.mishaps.time.monotonic", lambda: now[0])
    mishaps = Mishaps()
    for _ in range(1000):
        mishaps.tell(ValueError("broken"))
    assert capsys.readouterr().err.count("ValueError: broken") == 1
    now[0] += 1.5
    mishaps.tell(KeyError("other"))
    said = capsys.readouterr().err
    assert "999 more mishaps were left out" in said
    assert "KeyError: 'other'" in said


def test_a_log_that_takes_nothing_more_ends_nobody():
    full = Path("/dev/full").open("w", buffering=1)  # noqa: SIM115 - closing it fails too
    with pytest.raises(OSError, match="No space left"):
        full.write("lost\n")
    print("lost as well", file=Log(full), flush=True)
    with suppress(OSError):
        full.close()


def test_a_log_that_takes_all_loses_nothing(capsys):
    log = Log(sys.stderr)
    print("kept", file=log, flush=True)
    assert capsys.readouterr().err == "kept\n"
