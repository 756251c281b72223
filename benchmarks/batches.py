"""Offline batches: rows a second and peak memory of ``drivetrain score``, beside ONNX Runtime alone on as many cores.

    python benchmarks/batches.py --rows 10000000

The input is made in a temporary folder and deleted with it (2 GB for ten million rows). ONNX Runtime alone scores rows
that are in memory already, 32 a call, before and after the command; nothing is read, checked, packed or written there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from serving.model import COLUMNS, draw, train

from drivetrain.deliver.lanes import ROWS_A_CALL, cores
from drivetrain.store.models import ModelContent, Scorer
from drivetrain.testing.releases import ReleaseMaker

_PIECE = 250_000  # rows
_ALONE = 200_000  # rows a core


def main() -> None:
    """Print rows a second, peak memory and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--format", choices=["parquet", "csv"], default="parquet")
    chosen = parser.parse_args()
    content = train().content
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        maker = ReleaseMaker(home, "bench")
        maker.deploy(maker.release(content))
        (home / "drivetrain.yaml").write_text(_PROJECT)
        source = home / f"rows.{chosen.format}"
        _write(source, chosen.rows)
        before = _alone(content)
        scored, peak = _run(["score", str(source), "--json"], home)
        after = _alone(content)
    alone = (before + after) / 2
    print(f"{scored['rows']:,} rows of {len(COLUMNS)} columns as {chosen.format}, {cores()} cores")
    print(f"drivetrain score      {scored['rows_per_second']:>10,.0f} rows/s   {scored['seconds']:.0f} s")
    print(f"ONNX Runtime alone    {alone:>10,.0f} rows/s   (before {before:,.0f}, after {after:,.0f})")
    print(f"ratio                 {scored['rows_per_second'] / alone:>10.2f}")
    print(f"peak memory           {peak / 2**20:>10,.0f} MB")


_PROJECT = """\
project: bench
sources:
  rows: {kind: files, path: rows.parquet}
features: {spine: spine.sql, entity: id, label: y, tables: {rows: {sql: rows.sql}}, split: {by: stratum}}
model: {candidates: [{learner: xgboost}], decision: {kind: threshold, value: 0.5}}
"""


def _write(path: Path, rows: int) -> None:
    """The same pieces again and again; the id counts on."""
    pieces = [draw(_PIECE, seed) for seed in (1, 2)]
    schema = pa.schema([("id", pa.int64()), *((name, pa.float64()) for name in COLUMNS)])
    open_writer = pq.ParquetWriter if path.suffix == ".parquet" else pc.CSVWriter
    with open_writer(path, schema) as writer:
        for start in range(0, rows, _PIECE):
            count = min(_PIECE, rows - start)
            values = pieces[start // _PIECE % 2][:count]
            columns = [pa.array(np.arange(start, start + count))]
            columns += [pa.array(column, from_pandas=True) for column in values.T]
            writer.write_table(pa.table(columns, schema=schema))


def _alone(content: ModelContent) -> float:
    """Rows a second of the graph on all cores, a thread each."""
    scorer, rows = Scorer(content.graph), draw(_ALONE, seed=9)

    def score(_: int) -> None:
        for at in range(0, len(rows), ROWS_A_CALL):
            scorer.score(rows[at : at + ROWS_A_CALL])

    with ThreadPoolExecutor(cores()) as pool:
        began = time.perf_counter()
        list(pool.map(score, range(cores())))
        return _ALONE * cores() / (time.perf_counter() - began)


def _run(arguments: Sequence[str], home: Path) -> tuple[dict[str, float], int]:
    """What the command says, and its peak resident memory in bytes."""
    command = [sys.executable, "-m", "drivetrain", *arguments, "--project", str(home)]
    environment = {**os.environ, "DRIVETRAIN_KEYS": str(home / "keys")}
    process = subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.PIPE)
    peak = [0]
    watcher = threading.Thread(target=_watch, args=(process, peak))
    watcher.start()
    said, _ = process.communicate()
    watcher.join()
    if process.returncode:
        raise SystemExit(said.decode())
    return json.loads(said), peak[0]


def _watch(process: subprocess.Popen[bytes], peak: list[int]) -> None:
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        lines = status.read_text().splitlines() if status.exists() else []
        peak[0] = max(peak[0], *(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
        time.sleep(0.05)


if __name__ == "__main__":
    main()
