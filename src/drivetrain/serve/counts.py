"""What one worker counts for one service: plain numbers, so that counting costs next to nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the latency buckets in seconds; one more bucket has none."""

EVENTS = {
    "turns": "Turns of the loop that scored rows together.",
    "chats": "Messages of conversations that were answered.",
    "chats_handed_over": "Of those, the ones after which a person took over.",
    "labels": "Outcomes that were told.",
    "labels_unknown": "Of those, texts that are no class of the model.",
    "overloaded": "Requests refused because too many were waiting.",
    "late": "Requests refused because their deadline had passed.",
    "switches": "Deployments taken up while serving.",
    "shadow_rows": "Rows that a shadow scored.",
    "shadow_flipped": "Of those, decisions, or classes, unlike the champion's.",
    "shadow_unreadable": "Rows that a shadow could not read.",
    "shadow_failed": "Rows that a shadow had no score for, or that could not be recorded.",
    "shadow_left_out": "Rows that no shadow scored, to keep within shadow_load.",
    "trial_rows": "Rows that a challenger on trial and the champion both scored.",
    "trial_flipped": "Of those, decisions, or classes, unlike the champion's.",
    "lists_mixed": "Recommendations that were mixed of the champion's items and those of a challenger on trial.",
}


@dataclass
class Counts:
    """What one worker counted for one service since it started."""

    requests: dict[tuple[str, int], int] = field(default_factory=dict)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0
    predictions: dict[tuple[str, bool], int] = field(default_factory=dict)
    texts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count an answer; ``path`` is one of the server's own, so that there are few."""
        key = path, status
        self.requests[key] = self.requests.get(key, 0) + 1
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def predicted(self, release: str, rows: int, positive: int) -> None:
        """Count the predictions of one turn."""
        self.happened("turns")
        _count(self.predictions, (release, False), rows - positive)
        _count(self.predictions, (release, True), positive)

    def said(self, release: str, times: Mapping[tuple[str, str], int]) -> None:
        """Count how often each text of each output was said in one turn."""
        for (output, text), count in times.items():
            _count(self.texts, (release, output, text), count)

    def happened(self, event: str, times: int = 1) -> None:
        """Count one of the things in ``EVENTS``."""
        _count(self.events, event, times)

    def add(self, other: Counts) -> None:
        """Take in what another worker counted."""
        _add(self.requests, other.requests)
        _add(self.predictions, other.predictions)
        _add(self.texts, other.texts)
        _add(self.events, other.events)
        self.buckets = [mine + theirs for mine, theirs in zip(self.buckets, other.buckets, strict=True)]
        self.seconds += other.seconds


K = TypeVar("K")


def _count(counts: dict[K, int], key: K, times: int = 1) -> None:
    counts[key] = counts.get(key, 0) + times


def _add(counts: dict[K, int], others: dict[K, int]) -> None:
    for key, times in others.items():
        _count(counts, key, times)
