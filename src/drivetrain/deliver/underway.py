"""A parcel that goes out in several calls: what was answered already, when one of them fails and all is tried again."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from drivetrain.deliver.outlet import Parcel, Receipt


class Underway:
    """The receipts of the parcel that was sent last, as far as they are there.

    A service that takes a hundred calls a minute would never take a parcel of a thousand, if each try began anew.
    """

    def __init__(self) -> None:
        self._parcel: Parcel | None = None
        self._receipts: dict[int, Receipt] = {}

    def left(self, parcel: Parcel) -> list[int]:
        """The positions of the rows that have no receipt yet."""
        same = self._parcel is not None and self._parcel.keys == parcel.keys and self._parcel.rows.equals(parcel.rows)
        if not same:
            self._parcel, self._receipts = parcel, {}
        return [at for at in range(len(parcel.keys)) if at not in self._receipts]

    def note(self, position: int, receipt: Receipt) -> None:
        """A row was answered."""
        self._receipts[position] = receipt

    def done(self) -> tuple[Receipt, ...]:
        """All receipts, in the order of the rows; sent once more, the parcel goes out whole."""
        receipts = tuple(self._receipts[at] for at in sorted(self._receipts))
        self._parcel, self._receipts = None, {}
        return receipts


def groups(positions: Sequence[int], keys: Sequence[Hashable], most: int) -> list[list[int]]:
    """Positions in groups of at most ``most``, in order, no key twice in one: the later row must come after."""
    found: list[list[int]] = []
    there: set[Hashable] = set()
    for at in positions:
        if not found or len(found[-1]) == most or keys[at] in there:
            found.append([])
            there = set()
        found[-1].append(at)
        there.add(keys[at])
    return found
