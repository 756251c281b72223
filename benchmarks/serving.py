"""Requests a second: Drivetrain with everything on, against what the same HTTP server and model could do at most.

    python benchmarks/serving.py [--seconds 4] [--rounds 3] [--connections 64]

Contestants, asked in turns in one run, each a single process on one core while wrk asks from another:

- `limit`: granian (RSGI) answering a constant, with the settings that Drivetrain gives it
- `baseline`: granian (RSGI) + msgspec + onnxruntime by hand, one row a call; no key, no checks, no record
- `drivetrain`: typed checks with named errors, API key, rate limit, prediction id, journal, metrics

The model is XGBoost of 200 trees over 24 columns, as one ONNX graph; a request is one row of named columns as JSON.
Prints the median rates of the rounds, p50 and p99 in ms, their ratios, the start-up to the first good answer, and rows
a second in requests of 1,000 rows against onnxruntime in process. Needs wrk (Debian: apt-get install wrk) and the
`train` extra. The load is bounded: connections x seconds x rounds, on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime as ort
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from drivetrain.access.actors import write_actors
from drivetrain.access.api_keys import create_key
from drivetrain.access.keys import create_signer
from drivetrain.core.artifacts import Deployment, Estimate, Model, Report, TrafficShare
from drivetrain.core.digest import digest_bytes, digest_of
from drivetrain.core.lineage import Code
from drivetrain.core.model import (
    DecisionRule,
    Distribution,
    Environment,
    InputField,
    Reference,
    Signature,
    TrainingSummary,
)
from drivetrain.core.roles import Role
from drivetrain.core.schema import ColumnType
from drivetrain.ops.calibration import Sigmoid
from drivetrain.release.bundle import ProjectState
from drivetrain.release.release import approve, release
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import digests, write_folder
from drivetrain.store.models import ModelContent, Scorer
from drivetrain.train.learner import Sample
from drivetrain.train.learners.xgboost import XGBoost
from drivetrain.train.trained import Trained

COLUMNS = 24
TREES = 200
SERVICE = "bench"
BATCH = 1000
ROWS = np.random.default_rng(0).normal(size=(20_000, COLUMNS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--be", choices=["limit", "baseline"], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--graph", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.be:
        answer_by_hand(given.be, given.port, given.graph)
        return
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        graph, key = make_project(home)
        report(measure(home, graph, key, given), rows_in_process(graph))


# --- the contestants -----------------------------------------------------------------------------------------------


def answer_by_hand(kind: str, port: int, graph: Path | None) -> None:
    """Be the limit or the baseline until SIGTERM."""
    json_headers = [("content-type", "application/json")]
    answer = b'{"release":"release/bench@0123456789ab","predictions":[{"id":"0","score":0.5,"decision":false}]}'

    async def constant(scope: object, transport: object) -> None:
        await transport()
        transport.response_bytes(200, json_headers, answer)

    row_type = msgspec.defstruct("Row", [(f"c{number}", float | None, None) for number in range(COLUMNS)])
    decoder = msgspec.json.Decoder(msgspec.defstruct("Request", [("rows", list[row_type])]))
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(graph.read_bytes(), options) if graph else None

    async def predict(scope: object, transport: object) -> None:
        body = await transport()
        if not body:  # somebody asks whether we are there
            transport.response_bytes(200, json_headers, answer)
            return
        rows = [msgspec.structs.astuple(row) for row in decoder.decode(body).rows]
        (scores,) = session.run(["score"], {"row": np.array(rows, dtype=np.float64)})
        predictions = [{"score": score, "decision": score >= 0.5} for score in scores.tolist()]
        transport.response_bytes(200, json_headers, msgspec.json.encode({"predictions": predictions}))

    async def serve() -> None:
        target = constant if kind == "limit" else predict
        server = Server(target, port=port, interface=Interfaces.RSGI, log_enabled=False, websockets=False)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        await server.serve()

    uvloop.run(serve())


@dataclass(frozen=True)
class Contestant:
    """A running server."""

    name: str
    url: str
    started_s: float


@contextmanager
def running(name: str, command: list[str], port: int) -> Iterator[Contestant]:
    began = time.perf_counter()
    pin = (lambda: os.sched_setaffinity(0, {0})) if (os.cpu_count() or 1) > 1 else None
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=pin)  # noqa: PLW1509 - it only picks a core
    url = f"http://127.0.0.1:{port}"
    try:
        while not answers(url + "/health"):
            if process.poll() is not None or time.perf_counter() - began > 60:
                sys.exit(f"{name} did not start")
        yield Contestant(name, url, time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def answers(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=2).status == 200
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- the load ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Load:
    """What wrk saw: requests a second, p50 and p99 in milliseconds."""

    rate: float
    p50: float
    p99: float


def ask(server: Contestant, script: Path, connections: int, seconds: int) -> Load:
    core = ["taskset", "-c", "1"] if (os.cpu_count() or 1) > 1 and shutil.which("taskset") else []
    command = [*core, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
    said = subprocess.run([*command, f"{server.url}/v1/predict"], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"{server.name} failed under load:\n{said}")
    return Load(
        float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),
        *(milliseconds(re.search(rf"(?m)^\s+{share}%\s+(\S+)$", said)[1]) for share in (50, 99)),
    )


def milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def wrk_script(path: Path, key: str, rows: int) -> Path:
    named = [{f"c{at}": round(value, 4) for at, value in enumerate(row)} for row in ROWS[:rows].tolist()]
    path.write_text(
        'wrk.method = "POST"\n'
        'wrk.headers["Content-Type"] = "application/json"\n'
        f'wrk.headers["Authorization"] = "Bearer {key}"\n'
        f"wrk.body = [==[{json.dumps({'rows': named})}]==]\n"
    )
    return path


def measure(home: Path, graph: Path, key: str, given: argparse.Namespace) -> dict[str, object]:
    one, many = wrk_script(home / "one.lua", key, 1), wrk_script(home / "many.lua", key, BATCH)
    ports = [free_port() for _ in range(3)]
    by_hand = [sys.executable, __file__, "--graph", str(graph), "--be"]
    served = [sys.executable, "-m", "drivetrain.serve", "--home", str(home), "--service", SERVICE]
    served += ["--requests-per-second", "1000000"]  # on, and never reached
    with (
        running("limit", [*by_hand, "limit", "--port", str(ports[0])], ports[0]) as limit,
        running("baseline", [*by_hand, "baseline", "--port", str(ports[1])], ports[1]) as baseline,
        running("drivetrain", [*served, "--port", str(ports[2])], ports[2]) as drivetrain,
    ):
        loads: dict[str, list[Load]] = {server.name: [] for server in (limit, baseline, drivetrain)}
        single: dict[str, list[Load]] = {name: [] for name in loads}
        batches: list[Load] = []
        for _ in range(given.rounds):
            for server in (limit, baseline, drivetrain):
                loads[server.name].append(ask(server, one, given.connections, given.seconds))
                single[server.name].append(ask(server, one, 1, 1))
            batches.append(ask(drivetrain, many, 4, given.seconds))
        return {
            "loads": {name: middle(found) for name, found in loads.items()},
            "single": {name: middle(found) for name, found in single.items()},
            "rows_per_second": middle(batches).rate * BATCH,
            "started_s": drivetrain.started_s,
        }


def middle(loads: list[Load]) -> Load:
    return Load(*(statistics.median(getattr(load, name) for load in loads) for name in ("rate", "p50", "p99")))


def rows_in_process(graph: Path) -> float:
    """Rows a second that onnxruntime alone scores, 32 at a time, one thread; the best of three tries."""
    scorer = Scorer(graph.read_bytes())
    rates = []
    for _ in range(3):
        began = time.perf_counter()
        for at in range(0, len(ROWS), 32):
            scorer.score(ROWS[at : at + 32])
        rates.append(len(ROWS) / (time.perf_counter() - began))
    return max(rates)


def report(found: dict[str, object], in_process: float) -> None:
    loads, single = found["loads"], found["single"]
    print(f"{'':12} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'p50 ms, 1 connection':>22}")
    for name, load in loads.items():
        print(f"{name:12} {load.rate:10,.0f} {load.p50:8.2f} {load.p99:8.2f} {single[name].p50:22.3f}")
    drivetrain = loads["drivetrain"].rate
    print(f"\ndrivetrain / limit                {drivetrain / loads['limit'].rate:.2f}")
    print(f"drivetrain / baseline             {drivetrain / loads['baseline'].rate:.2f}")
    print(f"p50 at 1 connection, / limit      {single['drivetrain'].p50 / single['limit'].p50:.2f}")
    rows = found["rows_per_second"]
    print(f"rows/s in requests of {BATCH:,}       {rows:,.0f}, {rows / in_process:.2f} of onnxruntime in process")
    print(f"start-up to the first good answer {found['started_s']:.2f} s")


# --- the project ---------------------------------------------------------------------------------------------------


def make_project(home: Path) -> tuple[Path, str]:
    """A project with a deployed release of the model; gives the graph and an API key."""
    mia = create_signer(home / "keys", "mia", Role.ML_ENGINEER)
    ada = create_signer(home / "keys", "ada", Role.AI_ENGINEER)
    actors = {"mia": mia.actor, "ada": ada.actor}
    write_actors(home / "actors.yaml", actors)
    content = make_model()
    with Catalog(home) as catalog:
        model, proof = enter_model(content, catalog)
        state = ProjectState("bench", {"drivetrain.yaml": b"project: bench\n"}, Code(None, None))
        made = approve(release(state, model, proof, mia, catalog, actors), ada, "", catalog, actors)
        catalog.put(made)
        catalog.put(Deployment(SERVICE, 1, "local", (TrafficShare(made.ref, 1.0),), "ada", "", (made.ref,)))
        key = create_key(catalog.state, "bench")
    (home / "model.onnx").write_bytes(content.graph)
    return home / "model.onnx", key


def make_model() -> ModelContent:
    fields = tuple(InputField(f"c{number}", ColumnType.NUMBER, True) for number in range(COLUMNS))
    label = ROWS[:, :4].sum(axis=1) + np.sin(3 * ROWS[:, 4]) > 0.5
    params = {"n_estimators": TREES, "max_depth": 6, "learning_rate": 0.1}
    fitted = XGBoost().fit(Sample(ROWS, label), fields, params, seed=0)
    spread = tuple(Distribution(field.name, (0.0,), (1, 1), 0) for field in fields)
    return ModelContent(
        Trained(((fitted, 1.0),), Sigmoid(1.0, 0.0)).to_onnx(COLUMNS),
        np.zeros(0),
        Signature(fields, "id", "y"),
        Reference(2, spread, Distribution("score", (0.5,), (1, 1), 0), 0.5),
        DecisionRule("threshold", 0.5),
        TrainingSummary("roc_auc", 0, "none", (), (), "a benchmark", "none"),
        Environment(sys.version.split()[0], ()),
    )


def enter_model(content: ModelContent, catalog: Catalog) -> tuple[Model, Report]:
    files = content.files()
    auc = Estimate("roc_auc", 0.9, 0.9, 0.9, 1)
    model = Model("bench", digest_of(digests(files)), "xgboost", auc, digests(files), ())
    proof = json.dumps(str(model.ref)).encode()
    proven = Report("bench", digest_bytes(proof), "pass", (auc,), (), (model.ref,))
    write_folder(catalog.folder(model.ref), files)
    pages = {"report.json": proof, "measurements.json": b"[]", "report.html": b""}
    write_folder(catalog.folder(proven.ref), pages)
    catalog.put(model)
    catalog.put(proven)
    return model, proven


if __name__ == "__main__":
    main()
