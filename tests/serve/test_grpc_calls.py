"""gRPC calls that end otherwise than in an answer: cancelled, late, when the server ends, by a defect of ours."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop

from drivetrain.connect.http.listening import authority, claim
from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, NotFound, Refused, Transient
from drivetrain.serve import grpc_server
from drivetrain.serve.answers import Overloaded
from drivetrain.serve.counts import Counts
from drivetrain.serve.grpc_server import GrpcServer
from drivetrain.serve.mishaps import Mishaps
from drivetrain.serve.settings import ServerSettings, ServiceSettings, to_json
from drivetrain.testing.graphs import slow
from drivetrain.testing.releases import ReleaseMaker

from .conftest import SERVICE, Running, Start, lake, settings_of, until
from .grpc_caller import AGE, GrpcCaller, listed, output, refusal, scores

HEAVY = 50_000.0
"""The income from which on the model takes its time."""


@pytest.fixture
def heavy(maker: ReleaseMaker) -> list[Any]:
    """Rows that keep the model at work for a while, part by part; what serves takes its time for them."""
    maker.deploy(maker.release(slow(3_000, HEAVY)))
    rows = 4000
    ages = listed("age", "INT64", int64_contents=[25] * rows)
    return [ages, listed("income-per-month", "FP64", fp64_contents=[HEAVY + 1] * rows)]


def calling(server: Running) -> Any:
    return closing(GrpcCaller(server.said()["grpc"], server.key))


def waiting(server: Running) -> float:
    return server.metrics()[("drivetrain_waiting_rows", SERVICE)]


def test_who_has_gone_leaves_nothing_behind(start: Start, heavy: list[Any]) -> None:
    server = start(grpc_port=0, deadline_seconds=10.0)
    with calling(server) as caller:
        gone = [caller.infer_later(*heavy) for _ in range(3)]
        until(lambda: waiting(server) > 0)
        for each in gone:
            each.cancel()
        assert refusal(lambda: caller.infer(*heavy, timeout=0.02))[0] == "DEADLINE_EXCEEDED"
        until(lambda: waiting(server) == 0)
        assert len(scores(caller.infer(AGE))) == 1
        counted = [key[-1] for key in server.metrics() if key[:2] == ("drivetrain_requests_total", "grpc ModelInfer")]
        assert counted == ["200"], "nobody was told anything else"
    assert server.log.read_text() == ""


def test_a_sigterm_lets_calls_end_that_were_accepted(start: Start, heavy: list[Any]) -> None:
    server = start(grpc_port=0, deadline_seconds=10.0)
    with calling(server) as caller:
        going = caller.infer_later(*heavy)
        until(lambda: waiting(server) > 0)
        assert server.stop() == 0
        ids = output(going.result(), "prediction_id", "bytes_contents")
        assert len(ids) == 4000
        assert refusal(lambda: caller.infer(AGE, timeout=5))[0] == "UNAVAILABLE"
    assert {name.decode() for name in ids} == {row["prediction_id"] for row in lake(server.home, "predictions")}
    assert server.log.read_text() == ""


def test_two_workers_share_the_port(start: Start) -> None:
    server = start(grpc_port=0, workers=2)
    seen: set[bytes] = set()

    def both() -> bool:
        with calling(server) as caller:
            (name,) = output(caller.infer(AGE), "prediction_id", "bytes_contents")
            seen.add(name[11:19])  # drawn by each worker at its start
        return len(seen) == 2

    until(both)


def test_without_the_library_the_server_says_how_to_get_it(home: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "grpc.py").write_text("raise ImportError('hidden by a test')")
    done = subprocess.run(
        [sys.executable, "-m", "drivetrain.serve", to_json(settings_of(home, grpc_port=0))],
        env={**os.environ, "PYTHONPATH": str(hidden)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "grpcio is not installed" in done.stderr
    assert "pip install 'drivetrain[grpc]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("host", "written"), [("127.0.0.1", "127.0.0.1:1"), ("::1", "[::1]:1"), ("db", "db:1")])
def test_an_address_is_written_as_callers_do(host: str, written: str) -> None:
    assert authority(host, 1) == written


def test_a_port_that_is_taken_is_named(home: Path) -> None:
    with claim("127.0.0.1", 0) as held:
        held.listen()
        settings = settings_of(home, grpc_port=held.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "drivetrain.serve", to_json(settings)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "grpc_port" in done.stderr
    assert "address_unusable" in done.stderr


# --- by a service that fails as told ---------------------------------------------------------------------------


class Failing:
    """What a call needs of a service; it refuses everything with ``error``, at once or when the rows are scored."""

    name = SERVICE
    lineup = None

    def __init__(self, error: Exception, *, later: bool) -> None:
        self.error, self.later = error, later
        self.settings = ServiceSettings(Path(), SERVICE)
        self.counts = Counts()
        self.callers = SimpleNamespace(only=lambda scope: SimpleNamespace(admit=lambda *sent: SimpleNamespace()))

    def queue(self, call: Any, caller: object, late: float) -> None:
        if not self.later:
            raise self.error
        call.tell(self.error)


@contextmanager
def serving(service: Any) -> Iterator[GrpcCaller]:
    """A server of one service in a thread of its own, and who calls it."""
    over, ready = asyncio.Event(), threading.Event()
    with claim("127.0.0.1", 0) as held:
        port = held.getsockname()[1]

        async def serve() -> None:
            nonlocal loop
            loop = asyncio.get_running_loop()
            server = GrpcServer([service], ServerSettings((service.settings,)), None)
            await server.listen(port)
            ready.set()
            await over.wait()
            await server.drain(0)

        loop: Any = None
        thread = threading.Thread(target=lambda: uvloop.run(serve()))
        thread.start()
        assert ready.wait(20)
        with closing(GrpcCaller(f"127.0.0.1:{port}", "any")) as caller:
            yield caller
        loop.call_soon_threadsafe(over.set)
        thread.join(20)
        assert not thread.is_alive()


ENDS = [
    (Transient("deadline_passed", "late"), "DEADLINE_EXCEEDED", "1"),
    (Overloaded(), "RESOURCE_EXHAUSTED", "1"),
    (Transient("service_quarantined", "gone"), "UNAVAILABLE", "1"),
    (Forbidden("not_yours", "no"), "PERMISSION_DENIED", None),
    (Refused("a_rule", "no"), "FAILED_PRECONDITION", None),
    (NotFound("nothing", "no"), "NOT_FOUND", None),
    (InvalidInput("so_not", "no"), "INVALID_ARGUMENT", None),
    (DrivetrainError("whatever", "no"), "INTERNAL", None),
]


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(("error", "status", "again"), ENDS)
def test_every_family_of_errors_has_its_status(
    error: DrivetrainError, status: str, again: str | None, later: bool
) -> None:
    with serving(Failing(error, later=later)) as caller:
        found, text, trailing = refusal(lambda: caller.infer(AGE))
    assert (found, trailing["x-drivetrain-code"], trailing.get("retry-after")) == (status, error.code, again)
    assert error.message in text


@pytest.mark.parametrize("later", [False, True])
def test_a_defect_of_ours_stands_in_the_log_and_not_in_the_answer(
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    later: bool,
) -> None:
    monkeypatch.setattr(grpc_server, "MISHAPS", Mishaps())  # which tells one a second
    service = Failing(ZeroDivisionError("secret"), later=later)
    with serving(service) as caller:
        status, text, trailing = refusal(lambda: caller.infer(AGE))
        assert caller.ask("ServerLive").live
    assert (status, trailing["x-drivetrain-code"]) == ("INTERNAL", "internal")
    assert "secret" not in text
    assert "Traceback" not in text
    assert caplog.records == []
    assert "ZeroDivisionError: secret" in capsys.readouterr().err
