"""How long the command line takes to answer: the help, and a run in which nothing is stale.

    python benchmarks/startup.py [--project FOLDER] [--rounds 15]

Each number is the median wall time of whole processes, in milliseconds, with the fastest and the slowest. Without
``--project`` only the help and the version are measured; FOLDER is one where ``drivetrain run`` was run before.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

HELP_LIMIT_MS = 300
NOTHING_STALE_LIMIT_MS = 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--project", type=Path, help="a project in which everything is fresh")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    measured = {
        "python -c pass": measure([sys.executable, "-c", "pass"], arguments.rounds),
        "drivetrain --help": measure(drivetrain("--help"), arguments.rounds, HELP_LIMIT_MS),
    }
    if arguments.project:
        place = ["--project", str(arguments.project)]
        subprocess.run(drivetrain("run", *place), check=True, stdout=subprocess.DEVNULL)
        measured["drivetrain run, nothing stale"] = measure(
            drivetrain("run", *place), arguments.rounds, NOTHING_STALE_LIMIT_MS
        )
    print(json.dumps(measured, indent=2))
    sys.exit(any(result.get("met") is False for result in measured.values()))


def drivetrain(*words):
    return [sys.executable, "-m", "drivetrain", *words]


def measure(command, rounds, limit_ms=None):
    times = sorted(once(command) for _ in range(rounds))
    result = {"median_ms": statistics.median(times), "fastest_ms": times[0], "slowest_ms": times[-1]}
    result = {name: round(value, 1) for name, value in result.items()}
    return result | ({"limit_ms": limit_ms, "met": result["median_ms"] < limit_ms} if limit_ms else {})


def once(command):
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
