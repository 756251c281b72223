"""Which of the ranked items are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ShownRules:
    """Items in ``never`` are not shown, nor, with ``in_stock``, those that are sold out.

    Of one category at most ``most_of_category`` are; None: any number. Items without a category count one by one.
    """

    in_stock: bool = True
    most_of_category: int | None = None
    never: tuple[str, ...] = ()


def shown(ranked: Sequence[str], count: int, most: int | None) -> list[int]:
    """Which places of a ranking are shown: the first ``count``, but of each category no more than ``most``.

    ``ranked`` are the categories in the order of the ranking. What a category has too much of gives way to what comes
    after it.
    """
    if most is None:
        return list(range(min(count, len(ranked))))
    taken: Counter[str] = Counter()
    first: list[int] = []
    for place, category in enumerate(ranked):
        if len(first) == count:
            break
        if not category or taken[category] < most:
            taken[category] += 1
            first.append(place)
    return first
