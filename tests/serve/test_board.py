"""What the processes of a server tell each other: signs of life, notes, and what a full disk does to them."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from drivetrain.serve.board import Board, Note, ServiceNote
from drivetrain.serve.counts import Counts
from drivetrain.testing.graphs import ROW

from .conftest import Running, Start, children, until


@pytest.fixture
def board(tmp_path: Path) -> Board:
    found = Board(tmp_path / "run")
    found.clear()
    return found


def test_who_has_ended_serves_no_more_but_what_was_counted_stays(board: Board) -> None:
    counts = Counts(predictions={("release/loans@1", True): 3})
    for pid in (1, 2):
        board.write(0, Note(pid, True, {"loans": ServiceNote("ready", counts=counts)}, connections=5))
    board.retire(0, 1)
    first, second = board.notes()
    assert (first.serving, first.connections, first.services["loans"].counts) == (False, 0, counts)
    assert (second.serving, second.connections) == (True, 5)


def test_a_note_that_is_not_to_be_seen_while_it_is_replaced_is_known_from_before(board: Board) -> None:
    note = Note(1, True, {"loans": ServiceNote("ready")})
    board.write(0, note)
    assert board.notes() == [note]
    (written,) = board.folder.glob("worker-*.note")
    away = written.rename(written.with_suffix(".away"))
    assert board.notes() == [note]
    away.rename(written)
    assert board.notes() == [note]
    board.clear()
    assert board.notes() == []


def limit_files(server: Running, most: int) -> None:
    """From now on no process of the server can make a file longer than so many bytes, as on a full disk."""
    for pid in (server.process.pid, *children(server.process.pid)):
        hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most if most >= 0 else hard, hard))


def test_a_server_on_a_full_disk_refuses_outlives_its_worker_and_recovers(start: Start) -> None:
    server = start(hang_seconds=1)
    assert server.predict(ROW).status_code == 200
    limit_files(server, 64)
    refused = server.predict(ROW)
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "journal_unwritable"
    assert int(refused.headers["retry-after"]) > 0
    (before,), recorder = server.workers(), server.recorder()
    os.kill(before, 9)
    until(lambda: set(children(server.process.pid)) - {before, recorder})
    limit_files(server, -1)
    until(lambda: server.workers() != [before])
    assert server.predict(ROW).status_code == 200
    assert server.process.poll() is None
    server.log.write_text("")  # it tells what could not be written; elsewhere a traceback is a defect
