"""Calm under overload: the server at 80 % of its capacity, then under ten times the load, then at 80 % again.

    python benchmarks/overload.py [--seconds 10] [--times 10] [--rows 1] [--rate]

Capacity is what 64 callers reach who always ask again. Overload is ten times as many such callers, refused ones asking
again at once, whatever Retry-After says; with ``--rate`` it is ten times the capacity in requests a second, at random
moments (give requests of some 100 ``--rows`` then, or this script's own core is the limit). Prints the p99 of accepted
requests, from sent to answered, at both loads and their ratio; refusals; memory; and the time to recover: from the end
of the overload until three tenths of a second in a row refuse nobody and have a median of at most twice the one before.

Fails (exit code 1) when the p99 grows by more than 3 times, memory by more than 10 % and 16 MB, when recovery takes
more than a second, a request is neither answered nor refused, or a refusal has no Retry-After. Needs two cores and the
``train`` extra. The load stays on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from serving.goals import Goal
from serving.load import Answers
from serving.processes import Watch
from serving.report import print_goals
from serving.rig import CONNECTIONS, rig

MOST_P99, MOST_RECOVERY_S, MOST_SHARE, MOST_MB = 3.0, 1.0, 0.10, 16.0
CALM = 0.8
_WINDOW_S, _IN_A_ROW = 0.1, 3
_MB = 2**20


def main() -> None:
    """Load the server three times, and print how it took it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--times", type=int, default=10, help="the load that it is made for")
    parser.add_argument("--rows", type=int, default=1, help="of each request")
    parser.add_argument("--rate", action="store_true", help="overload by the rate, not by the callers")
    given = parser.parse_args()
    with rig(given.rows) as found:
        capacity = found.capacity()
        calm_rate, hot_rate = capacity * CALM, capacity * given.times if given.rate else None
        with Watch(found.server.pid) as watch:
            calm = found.ask(given.seconds, rate=calm_rate)
            before = watch.resident() / _MB
            hot = found.ask(given.seconds, CONNECTIONS * given.times, hot_rate)
            after = found.ask(given.seconds, rate=calm_rate)
        most = max(map(sum, zip(*([s.resident for s in h.samples] for h in watch.histories.values()), strict=False)))
    print(f"capacity {capacity:,.0f} requests/s\n")
    for name, answers in ((f"at {CALM:.0%}", calm), (f"times {given.times}", hot), ("after it", after)):
        print(_line(name, answers, given.seconds))
    goals = [
        Goal(
            "p99 of accepted requests, times that at 80 %",
            _p99(hot) / _p99(calm),
            "at most",
            MOST_P99,
        ),
        Goal("seconds to recover", recovery(calm, after), "at most", MOST_RECOVERY_S),
        Goal(f"MB, from {before:.0f} at 80 %", most / _MB, "at most", before + max(MOST_MB, before * MOST_SHARE)),
        Goal("neither answered nor refused", float(calm.failed + hot.failed + after.failed), "at most", 0.0),
        Goal("refused without Retry-After", float(hot.unadvised), "at most", 0.0),
    ]
    print()
    print_goals(goals)
    sys.exit(not all(goal.met for goal in goals))


def recovery(calm: Answers, after: Answers) -> float:
    """Seconds from the start of ``after`` until it is as calm as ``calm``; infinite when it never is."""
    usual = np.median(calm.seconds[calm.accepted])
    window = (after.due / _WINDOW_S).astype(int)
    row = 0
    for at in range(int(window.max()) + 1):
        inside = window == at
        taken = after.seconds[inside & after.accepted]
        fine = after.accepted[inside].all() and len(taken) > 0 and np.median(taken) <= 2 * usual
        row = row + 1 if fine else 0
        if row == _IN_A_ROW:
            return (at + 1 - _IN_A_ROW) * _WINDOW_S
    return float("inf")


def _p99(answers: Answers) -> float:
    return answers.milliseconds(99, answering=True)


def _line(name: str, answers: Answers, seconds: float) -> str:
    accepted, refused = int(answers.accepted.sum()), int(answers.refused.sum())
    rates = f"accepted {accepted / seconds:,.0f}/s, refused {refused / seconds:,.0f}/s, failed {answers.failed:,}"
    return f"{name:9} {rates}; p50 {answers.milliseconds(50, answering=True):.2f} ms, p99 {_p99(answers):.2f} ms"


if __name__ == "__main__":
    main()
