"""Offline batches: rows a second and peak memory of ``drivetrain score``, beside ONNX Runtime alone on as many cores.

    python benchmarks/batches.py --rows 10000000

The input is made in a temporary folder and deleted with it (2 GB for ten million rows). ONNX Runtime alone scores rows
that are in memory already, 32 a call, before and after the command; nothing is read, checked, packed or written there.
Processor time a row tells more than rows a second where other programs run beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
        ours, peak = _run(["score", str(source)], home)
        after = _alone(content)
    alone = Speed(before.rows + after.rows, before.seconds + after.seconds, before.processor + after.processor)
    print(f"{ours.rows:,} rows of {len(COLUMNS)} columns as {chosen.format}, {cores()} cores, {ours.seconds:.0f} s")
    print("                      rows/s   microseconds of processor a row")
    print(f"drivetrain score    {ours.speed:>8,.0f}   {ours.cost:.1f}")
    print(f"ONNX Runtime alone  {alone.speed:>8,.0f}   {alone.cost:.1f}")
    print(f"ratio               {ours.speed / alone.speed:>8.2f}   {alone.cost / ours.cost:.2f}")
    print(f"peak memory         {peak:>8,.0f} MB")


@dataclass(frozen=True)
class Speed:
    """Rows, in how many seconds, with how many seconds of all cores together."""

    rows: int
    seconds: float
    processor: float

    @property
    def speed(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of processor a row."""
        return self.processor / self.rows * 1e6


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


def _alone(content: ModelContent) -> Speed:
    """The graph on all cores, a thread each."""
    scorer, rows = Scorer(content.graph), draw(_ALONE, seed=9)

    def score(_: int) -> None:
        for at in range(0, len(rows), ROWS_A_CALL):
            scorer.score(rows[at : at + ROWS_A_CALL])

    with ThreadPoolExecutor(cores()) as pool:
        began, used = time.perf_counter(), time.process_time()
        list(pool.map(score, range(cores())))
        return Speed(_ALONE * cores(), time.perf_counter() - began, time.process_time() - used)


def _run(arguments: Sequence[str], home: Path) -> tuple[Speed, float]:
    """The command, and its peak resident memory in MB."""
    command = [sys.executable, "-m", "drivetrain", *arguments, "--json", "--project", str(home)]
    environment = {**os.environ, "DRIVETRAIN_KEYS": str(home / "keys")}
    measured = [sys.executable, "-c", _MEASURE, *command]
    scored, used = json.loads(subprocess.run(measured, cwd=home, env=environment, stdout=-1, check=True).stdout)
    return Speed(scored["rows"], scored["seconds"], used["processor"]), used["peak"] / 1024


# A small process in between: a process begins with the peak memory of the one that started it.
_MEASURE = """\
import json, resource, subprocess, sys
said = subprocess.run(sys.argv[1:], stdout=-1, check=True).stdout
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([json.loads(said), {"processor": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss}]))
"""


if __name__ == "__main__":
    main()
