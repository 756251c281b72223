"""The journal's bytes: all or nothing, whatever the disk or the process does."""

import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from drivetrain.core.errors import Tampered, Transient
from drivetrain.core.model import InputField, Signature
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Task
from drivetrain.store.segments import (
    LabelLog,
    LabelRecord,
    PredictionLog,
    read_header,
    read_labels,
    read_predictions,
    record_type,
    segments,
)

SIGNATURE = Signature((InputField("x", ColumnType.NUMBER, True), InputField("y", ColumnType.NUMBER, True)), "id", "bad")
RELEASE = Ref(Kind.RELEASE, "risk", "0123456789ab")


def records(log: PredictionLog, first: int, count: int) -> np.ndarray:
    rows = np.zeros(count, log.dtype)
    rows["id"] = [b"p%06d" % number for number in range(first, first + count)]
    rows["row"] = np.arange(first, first + count)[:, None] + [0.0, 0.5]
    rows["caller"] = log.caller("ann")
    return rows


def ids(folder: Path) -> list[bytes]:
    found: list[bytes] = []
    for segment in segments(folder, "predictions"):
        header, start = read_header(segment.path) or pytest.fail("no header")
        found.extend(read_predictions(segment.path, header, start)["id"].tolist())
    return found


def test_a_segment_gives_back_what_was_appended(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, RELEASE, SIGNATURE, durability="power")
    log.append(records(log, 0, 3))
    log.append(records(log, 3, 2))
    (segment,) = segments(tmp_path, "predictions")
    header, start = read_header(segment.path) or pytest.fail("no header")
    assert (header.release, header.signature, header.callers) == (str(RELEASE), SIGNATURE, ("ann",))
    found = read_predictions(segment.path, header, start)
    assert found["id"].tolist() == [b"p%06d" % number for number in range(5)]
    assert found["row"][4].tolist() == [4.0, 4.5]
    log.close()


def test_a_record_without_outputs_is_what_it_always_was() -> None:
    """Segments of older servers are read on; with outputs these stand behind the row."""
    assert record_type(SIGNATURE).itemsize == 32 + 8 + 8 + 1 + 2 + 64 + 2 * 8
    assert record_type(SIGNATURE).names == ("id", "at", "score", "decision", "caller", "entity", "row")
    number = record_type(replace(SIGNATURE, task=Task.NUMBER))
    assert (number.names[-1], number.itemsize) == ("outputs", record_type(SIGNATURE).itemsize + 2 * 8)


def test_a_segment_is_closed_when_its_writer_is_gone(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, RELEASE, SIGNATURE)
    log.append(records(log, 0, 1))
    assert [segment.closed for segment in segments(tmp_path, "predictions")] == [False]
    log.close()
    assert [segment.closed for segment in segments(tmp_path, "predictions")] == [True]


def test_a_full_segment_is_followed_by_a_new_one(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, RELEASE, SIGNATURE, size=2000)
    for number in range(40):
        log.append(records(log, number, 1))
    found = segments(tmp_path, "predictions")
    assert len(found) > 2
    assert [segment.closed for segment in found] == [True] * (len(found) - 1) + [False]
    assert ids(tmp_path) == [b"p%06d" % number for number in range(40)]
    log.close()


def test_a_new_caller_is_in_the_header_of_its_records(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, RELEASE, SIGNATURE)
    log.append(records(log, 0, 1))
    assert (log.caller("ann"), log.caller("bob")) == (0, 1)
    log.append(records(log, 1, 1))
    headers = [read_header(segment.path) or pytest.fail("no header") for segment in segments(tmp_path, "predictions")]
    assert [header.callers for header, _ in headers] == [("ann",), ("ann", "bob")]
    log.close()


@pytest.mark.parametrize("torn", [1, 50, 130])
def test_a_torn_tail_is_dropped(tmp_path: Path, torn: int) -> None:
    log = PredictionLog(tmp_path, RELEASE, SIGNATURE)
    log.append(records(log, 0, 3))
    log.close()
    (segment,) = segments(tmp_path, "predictions")
    os.truncate(segment.path, segment.path.stat().st_size - torn)
    left = 3 - -(-torn // log.dtype.itemsize)
    assert ids(tmp_path) == [b"p%06d" % number for number in range(left)]


def test_records_that_a_power_cut_left_empty_are_dropped(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, RELEASE, SIGNATURE)
    log.append(records(log, 0, 2))
    log.close()
    (segment,) = segments(tmp_path, "predictions")
    os.truncate(segment.path, segment.path.stat().st_size + 3 * log.dtype.itemsize)
    assert ids(tmp_path) == [b"p000000", b"p000001"]


def test_a_header_that_was_never_whole_is_none(tmp_path: Path) -> None:
    path = tmp_path / "predictions-1"
    path.write_bytes(b'{"kind":"predi')
    assert read_header(path) is None
    path.write_bytes(b"JFIF\n")
    with pytest.raises(Tampered, match="not a header"):
        read_header(path)


def test_labels_come_back_and_a_torn_line_is_dropped(tmp_path: Path) -> None:
    log = LabelLog(tmp_path)
    said = [LabelRecord(f"p{number}", number % 2 == 0, datetime(2026, 1, 1, tzinfo=UTC), "ann") for number in range(3)]
    log.append(said)
    log.close()
    (segment,) = segments(tmp_path, "labels")
    with segment.path.open("ab") as file:
        file.write(b'{"prediction_id":"p3","la')
    _, start = read_header(segment.path) or pytest.fail("no header")
    found, size = read_labels(segment.path, start)
    assert list(found) == said
    assert read_labels(segment.path, start + size) == ((), 0)


def test_a_full_disk_is_an_error_and_leaves_no_part_of_a_record(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, RELEASE, SIGNATURE)
    log.append(records(log, 0, 2))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        with pytest.raises(Transient, match="cannot be written"):
            log.append(records(log, 2, 50))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    log.append(records(log, 52, 1))
    assert ids(tmp_path) == [b"p000000", b"p000001", b"p000052"]
    log.close()


def test_what_was_appended_survives_a_kill(tmp_path: Path) -> None:
    script = f"""
import os, signal, sys
sys.path[:0] = [{str(Path(__file__).parent)!r}]
from pathlib import Path
from test_segments import RELEASE, SIGNATURE, PredictionLog, records
log = PredictionLog(Path({str(tmp_path)!r}), RELEASE, SIGNATURE)
log.append(records(log, 0, 7))
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", script], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert [segment.closed for segment in segments(tmp_path, "predictions")] == [True]
    assert len(ids(tmp_path)) == 7


def test_one_prediction_is_written_as_many_are(tmp_path):
    said = [(0.25, True, b"case-7"), (0.75, False, b"")]
    rows = np.array([[1.0, np.nan], [3.5, -1.0]])
    one, many = (PredictionLog(tmp_path / name, RELEASE, SIGNATURE) for name in ("one", "many"))
    records = np.empty(2, many.dtype)
    for at, (score, decision, entity) in enumerate(said):
        row = rows[at, : len(SIGNATURE.inputs)]
        one.append_one(b"id-%d" % at, 5 + at, (score, decision), 0, entity, row.tobytes())
        records[at] = (b"id-%d" % at, 5 + at, score, decision, 0, entity, row)
    many.append(records)
    contents = []
    for log, name in ((one, "one"), (many, "many")):
        log.close()
        (segment,) = segments(tmp_path / name, "predictions")
        header, start = read_header(segment.path)
        contents.append(read_predictions(segment.path, header, start).tobytes())
    assert contents[0] == contents[1]
