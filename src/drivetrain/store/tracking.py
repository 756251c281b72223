"""Experiment tracking in MLflow: an SQLite file of the project by default, or any MLflow server.

MLflow runs in a process of its own that takes trials as lines of JSON. The search never waits for it; a server that is
down, slow or gone costs its records and nothing else, and with the search the process ends as well. What was recorded
before a kill is found again by the key of the search and not recorded twice.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

import msgspec

from drivetrain.core.decoding import read_json
from drivetrain.core.errors import MissingExtra

if TYPE_CHECKING:
    from mlflow import MlflowClient

SQLITE = "sqlite"
OFF = "off"
DATABASE = "mlflow.db"
_KEY, _NUMBER = "drivetrain.key", "drivetrain.trial"
PATIENCE = 30.0
"""Seconds that a finished search grants the records that are still under way."""


class TrialRecord(msgspec.Struct, frozen=True, tag=True):
    """A trial as it is tracked: its number, name, state, parameters, and measured numbers (seconds among them)."""

    number: int
    name: str
    state: str
    params: dict[str, str]
    metrics: dict[str, float]


class Ending(msgspec.Struct, frozen=True, tag=True):
    """A search that is done, and the numbers of what it found."""

    metrics: dict[str, float]


class Experiment(msgspec.Struct, frozen=True):
    """Where trials go: experiment, name of the search's run, key of the search, its parameters, tracking address,
    and where artifacts would lie ("" on a server).
    """

    experiment: str
    run: str
    key: str
    params: dict[str, str]
    address: str = ""
    artifacts: str = ""


_LINES = msgspec.json.Decoder(TrialRecord | Ending)


class Tracker:
    """Takes trials while a search runs. ``close`` says in a sentence where they are, or why they are not there."""

    def __init__(self, experiment: Experiment | None, shown: str) -> None:
        self._shown = shown
        self._process: subprocess.Popen[bytes] | None = None
        if experiment is None:
            return
        if importlib.util.find_spec("mlflow") is None:
            raise MissingExtra("mlflow", "tracking")
        command = [sys.executable, "-m", "drivetrain.store.tracking"]
        pipe = subprocess.PIPE
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=pipe, stdout=quiet, stderr=pipe)  # noqa: S603 - our own module
        self._send(experiment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self.abandon()

    def record(self, trial: TrialRecord) -> None:
        """Hand a trial over; never waits and never fails."""
        self._send(trial)

    def close(self, metrics: Mapping[str, float], patience: float = PATIENCE) -> str:
        """End the search's own run with its numbers and wait for what is under way, at most ``patience`` seconds."""
        if self._process is None:
            return OFF
        self._send(Ending(dict(metrics)))
        try:
            _, said = self._process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            self.abandon()
            return f"not recorded: {self._shown} did not answer in time"
        if self._process.returncode == 0:
            return self._shown
        reason = said.decode(errors="replace").strip().splitlines() or ["the tracking process ended"]
        return f"not recorded: {self._shown}: {reason[-1][:200]}"

    @property
    def ended(self) -> bool:
        """Whether nothing is under way any more."""
        return self._process is None or self._process.poll() is not None

    def abandon(self) -> None:
        """End the process at once, with what it has recorded so far."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def _send(self, value: object) -> None:
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(msgspec.json.encode(value) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the process ended; close() says why


def open_tracker(address: str, state: Path, run: Experiment) -> Tracker:
    """A tracker for the address of the project file: ``sqlite``, ``off`` or a server. Raises MissingExtra."""
    if address == OFF:
        return Tracker(None, OFF)
    if address != SQLITE:
        return Tracker(msgspec.structs.replace(run, address=address), address)
    database = f"sqlite:///{state / DATABASE}"
    artifacts = (state / "mlflow-artifacts").as_uri()
    return Tracker(msgspec.structs.replace(run, address=database, artifacts=artifacts), SQLITE)


# --- the process ------------------------------------------------------------------------------------------------------


def main() -> int:
    """Read an Experiment, then trials, then the closing numbers from standard input; write them to MLflow."""
    lines: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_drain, args=(sys.stdin.buffer, lines.put), daemon=True).start()
    # The environment is how MLflow is told; no numbers about its use leave the machine, no call is retried for minutes.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    logging.disable(logging.INFO)
    try:
        _write(read_json(lines.get(), Experiment), lines)
    except Exception as error:  # noqa: BLE001 - a process boundary: whatever went wrong is one line for the search
        sys.stderr.write(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}\n")
        return 1
    return 0


def _drain(source: BinaryIO, put: Callable[[bytes], None]) -> None:
    for line in source:
        put(line)
    put(b"")


def _write(experiment: Experiment, lines: SimpleQueue[bytes]) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(experiment.address)
    place = _experiment_id(client, experiment)
    parent, known = _parent(client, place, experiment)
    while line := lines.get():
        value = _LINES.decode(line)
        if isinstance(value, Ending):
            _log(client, parent, {}, value.metrics)
            client.set_terminated(parent)
        elif value.number not in known:
            _write_trial(client, place, parent, experiment.key, value)


def _experiment_id(client: MlflowClient, experiment: Experiment) -> str:
    found = client.get_experiment_by_name(experiment.experiment)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(experiment.experiment, artifact_location=experiment.artifacts or None))


def _parent(client: MlflowClient, place: str, experiment: Experiment) -> tuple[str, set[int]]:
    """The run of this search, made now or by a search that was killed, and the trials that it has already."""
    found = client.search_runs([place], f"tags.`drivetrain.key` = '{experiment.key}'", max_results=1000)
    trials = [run for run in found if _NUMBER in run.data.tags]
    done = {int(run.data.tags[_NUMBER]) for run in trials if run.info.status == "FINISHED"}
    for run in trials:
        if run.info.status != "FINISHED":
            client.delete_run(run.info.run_id)
    for run in found:
        if run not in trials:
            return run.info.run_id, done
    tags = {_KEY: experiment.key}
    run = client.create_run(place, run_name=experiment.run, tags=tags)
    _log(client, run.info.run_id, experiment.params, {})
    return run.info.run_id, done


def _write_trial(client: MlflowClient, place: str, parent: str, key: str, trial: TrialRecord) -> None:
    tags = {
        "mlflow.parentRunId": parent,
        _KEY: key,
        _NUMBER: str(trial.number),
        "drivetrain.state": trial.state,
    }
    ended = time.time_ns() // 1_000_000
    begun = ended - int(1000 * trial.metrics.get("seconds", 0.0))
    run = client.create_run(place, start_time=begun, run_name=f"{trial.number} {trial.name}", tags=tags)
    _log(client, run.info.run_id, trial.params, trial.metrics)
    client.set_terminated(run.info.run_id, end_time=ended)


def _log(client: MlflowClient, run: str, params: Mapping[str, str], metrics: Mapping[str, float]) -> None:
    from mlflow.entities import Metric, Param

    at = time.time_ns() // 1_000_000
    client.log_batch(
        run,
        metrics=[Metric(name, value, at, 0) for name, value in metrics.items()],
        params=[Param(name, value) for name, value in params.items()],
    )


if __name__ == "__main__":
    sys.exit(main())
