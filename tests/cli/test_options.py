"""Errors become a sentence and an exit code at the one boundary."""

import json

import pytest

from drivetrain.cli.options import guarded
from drivetrain.core.errors import Refused


def outcome(error, capsys):
    def act():
        raise error

    with pytest.raises(SystemExit) as ended:
        guarded(act, as_json=True)
    captured = capsys.readouterr()
    return ended.value.code, json.loads(captured.out)["error"] if captured.out else None, captured.err


def test_error_of_ours_keeps_its_code(capsys):
    code, told, _ = outcome(Refused("no", "a rule said no", hint="ask"), capsys)
    assert (code, told["code"], told["hint"]) == (5, "no", "ask")


def test_full_disk_names_the_file(capsys):
    code, told, _ = outcome(OSError(28, "No space left on device", "lake/part"), capsys)
    assert (code, told["code"], told["where"]) == (9, "system_refused", "lake/part")
    assert "No space left" in told["message"]


def test_defect_is_told_as_one_with_its_trace(capsys):
    code, told, trace = outcome(ZeroDivisionError("division by zero"), capsys)
    assert (code, told["code"]) == (1, "unexpected")
    assert "ZeroDivisionError" in told["message"]
    assert "Traceback" in trace


def test_interrupt_has_its_code(capsys):
    assert outcome(KeyboardInterrupt(), capsys)[:2] == (130, None)


def test_broken_pipe_is_left_to_click():
    def act():
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        guarded(act, as_json=False)
