"""Ten minutes at 70 % of what the server can do: memory and file handles must stay flat, and nothing may get lost.

    python benchmarks/soak.py [--minutes 10] [--share 0.7]

Measures the capacity with 64 callers who always ask again, then asks at that share of it, at random moments, and looks
at every process of the server once a second. Fails (exit code 1) when a process grows by more than 5 % and 8 MB, or by
more than 8 file handles, over the whole time, judged by a straight line through the samples after the first fifth;
when a request fails or is refused; or when the lake holds fewer predictions than were acknowledged. Needs two cores
and the ``train`` extra. The load stays on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import sys

from serving.load import Answers
from serving.processes import History, Watch
from serving.rig import Rig, rig

MOST_SHARE, MOST_BYTES, MOST_HANDLES = 0.05, 8 * 2**20, 8
SETTLING = 0.2
_MB = 2**20


def main() -> None:
    """Soak, and print what became of the server."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--share", type=float, default=0.7, help="of the capacity")
    given = parser.parse_args()
    with rig() as found:
        capacity = found.capacity()
        rate = capacity * given.share
        print(f"capacity {capacity:,.0f} requests/s; {given.minutes:g} minutes at {rate:,.0f} requests/s")
        with Watch(found.server.pid) as watch:
            answers = found.ask(given.minutes * 60, rate=rate)
        found.stop()
        flat = print_processes(list(watch.histories.values()), given.minutes)
        sound = print_answers(answers, found)
    sys.exit(not (flat and sound))


def print_processes(histories: list[History], minutes: float) -> bool:
    """A line for each process; whether all of them stayed flat that lived for most of the time."""
    print("\n| process | MB first | last | most | MB a minute | handles first | last | most | |\n" + "|---" * 9 + "|")
    verdicts = []
    for history in histories:
        resident = [sample.resident / _MB for sample in history.samples]
        handles = [sample.handles for sample in history.samples]
        grown = history.slope("resident", SETTLING) * 60
        lived = history.samples[-1].at - history.samples[0].at
        judged = lived > minutes * 60 / 2
        flat = not judged or is_flat(history, minutes * 60)
        verdicts.append(flat)
        cells = [f"{resident[0]:.1f}", f"{resident[-1]:.1f}", f"{max(resident):.1f}", f"{grown / _MB:+.2f}"]
        cells += [str(handles[0]), str(handles[-1]), str(max(handles))]
        cells.append(("✓" if flat else "✗") if judged else f"lived {lived:.0f} s")
        print(f"| {history.name} | " + " | ".join(cells) + " |")
    return all(verdicts)


def is_flat(history: History, seconds: float) -> bool:
    """Whether the line through the samples stays within the bounds over so many seconds."""
    memory = history.slope("resident", SETTLING) * seconds
    handles = history.slope("handles", SETTLING) * seconds
    return memory <= max(MOST_SHARE * history.samples[0].resident, MOST_BYTES) and handles <= MOST_HANDLES


def print_answers(answers: Answers, found: Rig) -> bool:
    """What became of the requests; whether all were answered and every acknowledged prediction is in the lake."""
    recorded, refused = found.recorded(), int(answers.refused.sum())
    print(f"\naccepted {int(answers.accepted.sum()):,}, refused {refused:,}, failed {answers.failed:,}")
    print(f"p50 {answers.milliseconds(50):.2f} ms, p99 {answers.milliseconds(99):.2f} ms, from when each was due")
    print(f"predictions acknowledged {found.accepted:,}, in the lake {recorded:,}")
    return refused == 0 and answers.failed == 0 and recorded >= found.accepted


if __name__ == "__main__":
    main()
