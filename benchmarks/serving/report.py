"""What was measured, as tables to read or as JSON."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict

from serving.goals import Goal
from serving.measure import Contest, Plan
from serving.wrk import middle

_MARKS = {True: "✓", False: "✗", None: "–"}


def print_tables(contest: Contest, plan: Plan, goals: Sequence[Goal]) -> None:
    """Two tables in Markdown: who reached what, and what was promised."""
    columns = ["requests/s", "p50 ms", "p99 ms", "at 16 conn.", "p50 ms, 1 conn.", "rows/s by 1,000", "start s"]
    print(f"| {plan.connections} connections | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name, found in contest.measured.items():
        if found.skipped:
            print(f"| {name} | skipped: {found.skipped} |" + " |" * (len(columns) - 1))
            continue
        load = middle(found.loads[plan.connections])
        sixteen = f"{middle(found.loads[16]).rate:,.0f}" if 16 in found.loads else ""
        rows = [f"{statistics.median(found.json_rows):,.0f}"] if found.json_rows else []
        rows += [f"{statistics.median(found.arrow_rows):,.0f} in Arrow"] if found.arrow_rows else []
        cells = [
            f"{load.rate:,.0f}",
            f"{load.p50:.2f}",
            f"{load.p99:.2f}",
            sixteen,
            f"{middle(found.loads[1]).p50:.3f}",
        ]
        cells += [", ".join(rows), f"{statistics.median(found.started):.2f}"]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(f"\nonnxruntime in process: {statistics.median(contest.in_process):,.0f} rows/s\n")
    print_goals(goals)


def print_goals(goals: Sequence[Goal]) -> None:
    """What was promised, and whether it was kept."""
    print("| Drivetrain | measured | goal | |\n|---|---|---|---|")
    for goal in goals:
        value = "not measured" if goal.value is None else f"{goal.value:.2f}"
        print(f"| {goal.name} | {value} | {goal.sense} {goal.goal:g} | {_MARKS[goal.met]} |")


def print_json(contest: Contest, plan: Plan, goals: Sequence[Goal]) -> None:
    """Every round of everybody, and the goals."""
    told = {
        "plan": asdict(plan),
        "machine": {"processor": platform.processor() or platform.machine(), "python": platform.python_version()},
        "contestants": {name: asdict(found) for name, found in contest.measured.items()},
        "in_process_rows_per_second": contest.in_process,
        "goals": [{**asdict(goal), "met": goal.met} for goal in goals],
    }
    print(json.dumps(told, indent=1))
