"""What customers bought since a service was told: one SQLite file beside the service's journal.

Every worker reads and writes it, and what was acknowledged survives the end of any process. It is the only place where
a customer's purchases lie for the server, so that to forget somebody is to delete them here. A purchase has no name of
its own: the same item at the same moment is the same purchase, however often it is told. This file needs no Arrow: the
server imports it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from drivetrain.store.metadata import Metadata

FILE = "purchases.db"
MOST = 2_000
"""Of one customer; the oldest ones give way."""


class Purchase(NamedTuple):
    """Somebody bought an item at a moment: microseconds since 1970."""

    customer: str
    item: str
    at: int


class Purchases:
    """The purchases of a service in the folder ``journal``. For one thread at a time."""

    def __init__(self, journal: Path) -> None:
        self._data = Metadata(journal / FILE, "purchases.sql", "purchase_tables.sql")

    def add(self, purchases: Iterable[Purchase]) -> None:
        """Write purchases down, all or none; those that are known already are not counted twice."""
        found = list(purchases)
        puts = [("put", {"customer": one.customer, "at": str(one.at), "item": one.item}) for one in found]
        customers = dict.fromkeys(one.customer for one in found)
        trims = [("keep_newest", {"customer": customer, "most": str(MOST)}) for customer in customers]
        self._data.write([*puts, *trims])

    def of(self, customer: str, before: int) -> list[Purchase]:
        """What a customer bought before a moment, the newest first."""
        rows = self._data.read("get", customer=customer, before=str(before))
        return [Purchase(customer, item, int(at)) for item, at in rows]

    def forget(self, customer: str) -> int:
        """Delete all that a customer bought; how many purchases."""
        return self._data.change("forget", customer=customer)

    def forget_old(self, before: int) -> int:
        """Delete what was bought before a moment; how many purchases."""
        return self._data.change("forget_old", before=str(before))

    def close(self) -> None:
        """Let go of the file."""
        self._data.close()
