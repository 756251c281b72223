"""Loading: seconds and peak memory of ``drivetrain ingest``, beside the least that the same data can be moved with.

    python benchmarks/ingest           # ten columns of ten million rows: CSV, Parquet, PostgreSQL; a topic of a million
    python benchmarks/ingest --rows 100000000 --only parquet

Every measurement is a process of its own, so that peak memory is its own; contestants take turns, and the best of each
counts. The input is made in a temporary folder and deleted with it (1.2 GB for ten million rows).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))
from contestants import CONTESTANTS, Taken
from rows import written


@dataclass(frozen=True)
class Race:
    """Ours against a limit: which contestants, over what, the ratio that was set as the goal, and of how many rows."""

    title: str
    ours: str
    limit: str
    source: str
    goal: float
    rows: int = 10_000_000


RACES = {
    "csv": Race("CSV, contract of 15 rules / duckdb -> Arrow -> write_deltalake", "drivetrain", "bare", "csv", 1.5),
    "parquet": Race("Parquet, the same", "drivetrain", "bare", "parquet", 1.5),
    "contract": Race("15 rules over Arrow / one hand-written DuckDB query", "rules", "query", "parquet", 1.3),
    "postgres": Race("PostgreSQL, the same / ADBC into Arrow", "table", "adbc", "postgres", 1.3),
    "kafka": Race("Kafka, JSON, the same / a consumer that drops them", "topic", "consumer", "kafka", 2.0, 1_000_000),
}


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=None, help="by default ten million, of Kafka one")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", choices=[*RACES], action="append", default=[])
    parser.add_argument("--in", dest="folder", default=None, help="where the temporary folder is made")
    parser.add_argument("--take", nargs=2, metavar=("CONTESTANT", "SOURCE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.take:
        contestant, source = chosen.take
        print(json.dumps(CONTESTANTS[contestant](source, Path(chosen.folder)).__dict__))
        return
    print(f"10 columns; seconds (peak MB), the best of {chosen.rounds}\n")
    for name in chosen.only or RACES:
        race = RACES[name]
        rows = chosen.rows or race.rows
        taken: dict[str, list[Taken]] = {race.ours: [], race.limit: []}
        with (
            tempfile.TemporaryDirectory(dir=chosen.folder) as folder,
            written(Path(folder), race.source, rows) as source,
        ):
            for _ in range(chosen.rounds):
                for contestant, found in taken.items():
                    found.append(_take(contestant, source, folder))
        ours, limit = (min(found, key=lambda one: one.seconds) for found in taken.values())
        peak = max(one.megabytes for one in taken[race.ours])
        ratio = ours.seconds / limit.seconds
        said = "reached" if ratio <= race.goal else "missed"
        print(
            f"{race.title}, {rows:,} rows\n  {ours.seconds:.1f} ({peak}) / {limit.seconds:.1f} ({limit.megabytes})",
            end="",
        )
        print(f" = {ratio:.2f}, at most {race.goal} asked: {said}", flush=True)


def _take(contestant: str, source: str, folder: str) -> Taken:
    command = [sys.executable, __file__, "--in", folder, "--take", contestant, source]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Taken(**json.loads(said))


main()
