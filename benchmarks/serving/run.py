"""Requests a second: Drivetrain with everything on, against its peers and its limits.

    python benchmarks/serving [--seconds 4] [--rounds 3] [--connections 64] [--all] [--only NAME ...] [--json]

Everybody serves the same model, 200 trees of XGBoost behind imputation and scaling; a request is one row of 24 named
columns as JSON, in the contestant's own format. Each is one process on core 0, started anew for its turn, alone, while
wrk asks from core 1. Before anything is timed everybody must give the scores that the scikit-learn pipeline gives.
Peers live in virtual environments of their own, made on the first run below ``--venvs``.

Prints medians over the rounds, and the ratios that are promised. Needs wrk (Debian: apt-get install wrk), two cores,
and the ``train`` extra. The load is bounded: connections x seconds x rounds, on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from serving.contestants import DRIVETRAIN, PEERS, Contestant, ours
from serving.goals import goals
from serving.measure import Contest, Plan
from serving.model import train
from serving.project import make_project
from serving.report import print_json, print_tables
from serving.running import free_port
from serving.venvs import default_folder


def main() -> None:
    """Measure, and print what was found; exit code 1 when Drivetrain itself could not be measured."""
    given = _arguments()
    for tool in ("wrk", "taskset"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed: apt-get install wrk util-linux")
    if (os.cpu_count() or 1) < 2:
        sys.exit("two cores are needed: one for the server, one for the load")
    plan = Plan(given.seconds, given.rounds, given.connections)
    with tempfile.TemporaryDirectory() as folder:
        contest = _contest(Path(folder), plan, given)
    found = goals(contest.measured, statistics.median(contest.in_process), plan.connections)
    (print_json if given.json else print_tables)(contest, plan, found)
    sys.exit(bool(contest.measured[DRIVETRAIN].skipped) if DRIVETRAIN in contest.measured else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("benchmarks/serving", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=4, help="that each load lasts")
    parser.add_argument("--rounds", type=int, default=3, help="of the fast ones; a slow one has one")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--all", action="store_true", help="MLServer, Ray Serve and BentoML with ONNX too")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these contestants only")
    parser.add_argument("--venvs", type=Path, default=default_folder(), help="where the peers are installed")
    parser.add_argument("--json", action="store_true", help="every round, for programs")
    return parser.parse_args()


def _contest(folder: Path, plan: Plan, given: argparse.Namespace) -> Contest:
    model = train()
    model.write(folder)
    key = make_project(folder / "project", model.content)
    contest = Contest(model, folder)
    contestants = _chosen((*PEERS, *ours(folder / "project", key, free_port())), given)
    for contestant in contestants:
        print(f"checking {contestant.name}", file=sys.stderr, flush=True)
        contest.admit(contestant, given.venvs)
    for number in range(plan.rounds):
        print(f"round {number + 1} of {plan.rounds}", file=sys.stderr, flush=True)
        contest.round(contestants, plan, first=number == 0)
    return contest


def _chosen(contestants: tuple[Contestant, ...], given: argparse.Namespace) -> list[Contestant]:
    if not given.only:
        return [contestant for contestant in contestants if given.all or not contestant.extra]
    known = {contestant.name: contestant for contestant in contestants}
    unknown = [name for name in given.only if name not in known]
    if unknown:
        sys.exit(f"there is no {unknown[0]!r}; there are: {', '.join(known)}")
    return [known[name] for name in given.only]
