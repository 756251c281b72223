"""Outcomes are heard by every worker, whichever one was told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from drivetrain.serve.outcomes import Outcomes
from drivetrain.store.segments import LabelLog, LabelRecord

MOMENT = datetime(2026, 1, 31, tzinfo=UTC)


def told(outcomes: Outcomes) -> list[tuple[str, bool]]:
    return [(record.prediction_id, record.label) for record in outcomes.fresh()]


def label(name: str, value: bool = True) -> LabelRecord:
    return LabelRecord(name, value, MOMENT, "shop")


def test_what_is_told_from_now_on_is_heard_once_from_everybody(tmp_path: Path) -> None:
    one, two = LabelLog(tmp_path), LabelLog(tmp_path)
    one.append([label("before")])
    outcomes = Outcomes(tmp_path)
    assert told(outcomes) == []
    one.append([label("a"), label("b", False)])
    two.append([label("c")])
    assert sorted(told(outcomes)) == [("a", True), ("b", False), ("c", True)]
    assert told(outcomes) == []
    two.append([label("d")])
    one.close()
    one.append([label("e")])
    assert sorted(told(outcomes)) == [("d", True), ("e", True)]
    one.close()
    two.close()
    for path in tmp_path.glob("labels-*"):
        path.unlink()
    assert told(outcomes) == []


def test_what_is_half_written_is_heard_when_it_is_whole(tmp_path: Path) -> None:
    outcomes = Outcomes(tmp_path)
    log = LabelLog(tmp_path)
    log.append([label("a")])
    (path,) = tmp_path.glob("labels-*")
    content = path.read_bytes()
    log.close()
    for end in (10, content.index(b"\n") + 1, len(content) - 1):
        path.write_bytes(content[:end])
        assert told(outcomes) == []
    path.write_bytes(content)
    assert told(outcomes) == [("a", True)]
