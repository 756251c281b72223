"""Many rows through the contract: seconds and peak memory of one load of a folder of Parquet files.

    python benchmarks/scale.py                   # a hundred million rows of ten columns in twenty files (about 3 GB)

The rows are those of ``benchmarks/ingest``. They are made in a temporary folder, which is deleted with what was loaded;
the load is a process of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).parent / "ingest"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from rows import CONTRACT, QUERY

_FILES = 20


def main() -> None:
    """Make the rows, load them, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--in", dest="folder", default=None, help="where the temporary folder is made")
    parser.add_argument("--limit", type=float, default=480, help="seconds after which the load is given up")
    parser.add_argument("--load", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.load:
        _load(Path(chosen.load))
        return
    with tempfile.TemporaryDirectory(dir=chosen.folder) as temporary:
        home = Path(temporary)
        began = time.perf_counter()
        size = _write(home / "orders", chosen.rows)
        seconds = time.perf_counter() - began
        print(f"{chosen.rows:,} rows in {_FILES} files, {size / 1e9:.2f} GB; made in {seconds:.0f} s", flush=True)
        subprocess.run([sys.executable, __file__, "--load", str(home)], check=True, timeout=chosen.limit)


def _write(folder: Path, rows: int) -> int:
    """The files; gives their size in bytes."""
    folder.mkdir()
    each = -(-rows // _FILES)
    with duckdb.connect() as sql:
        sql.execute("SET memory_limit = '2GB'")
        for number in range(_FILES):
            part = QUERY.format(rows=f"{number * each}, {min(rows, (number + 1) * each)}")
            sql.execute(f"COPY ({part}) TO '{folder}/part-{number:02}.parquet' (FORMAT parquet, ROW_GROUP_SIZE 122880)")
    return sum(file.stat().st_size for file in folder.iterdir())


def _load(home: Path) -> None:
    from drivetrain.core.sources.files import FilesSource
    from drivetrain.ingest.ingest import ingest
    from drivetrain.store.catalog import Catalog

    spec = FilesSource.model_validate({"kind": "files", "path": "orders/*.parquet", "contract": CONTRACT})
    with Catalog(home) as catalog:
        began = time.perf_counter()
        dataset = ingest(spec, "orders", catalog)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = sum(file.stat().st_size for file in (home / ".drivetrain").rglob("*.parquet"))
    print(
        f"{dataset.rows:,} rows loaded, {dataset.quarantined:,} bad: {seconds:.1f} s, "
        f"{dataset.rows / seconds:,.0f} rows/s, "
        f"peak {peak:,.0f} MB, {size / 1e9:.2f} GB written, {os.cpu_count()} cores"
    )


main()
