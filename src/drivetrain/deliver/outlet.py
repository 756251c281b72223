"""How rows leave for other systems: the Outlet protocol, and what passes through it.

A plugin registers its class under the entry-point group ``drivetrain.outlets`` by the name of its ``kind`` and proves
itself with ``drivetrain.testing.outlets.OutletContract``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

import pyarrow as pa

from drivetrain.connect.place import Place
from drivetrain.core import plugins
from drivetrain.core.outlets import OutletSpec


@dataclass(frozen=True)
class Parcel:
    """Rows that leave together, a thousand at most (``parcel_rows`` of the spec), and the key of each.

    A key is one row's for ever: a row that is sent again, because nobody knows whether it arrived, has the same one.
    ``numbers`` counts all predictions of the service; they grow, and have gaps where rows did not leave. Columns are
    int64, float64, decimal, bool, string, date32, timestamp[us, UTC]; structs and lists where somebody asks for them.
    """

    rows: pa.Table
    keys: tuple[str, ...]
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Receipt:
    """What became of one row: whether it was taken, and what was said: the number of a ticket, or why not."""

    taken: bool
    said: str = ""


class Outlet(Protocol):
    """Another system that takes rows, opened. It tries nothing again: that is for its caller."""

    def check(self) -> str:
        """Connect, send nothing, and say in a line what is there. Raises what ``send`` raises."""
        ...

    def send(self, parcel: Parcel) -> tuple[Receipt, ...]:
        """A receipt for each row, once what was taken is safe over there. A row not taken never will be (dead letter).

        A row that was sent before is taken again without a second effect, wherever the system can tell by its key.
        Raises Transient when trying the whole parcel again may help, Forbidden for refused credentials, and NotFound
        or InvalidInput when no row could be taken before a person changes something; then nothing is a dead letter.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class OutletClass(Protocol):
    """What an entry point of the group ``drivetrain.outlets`` names."""

    def __call__(self, spec: OutletSpec, place: Place) -> Outlet:
        """An outlet. Connects to nothing before it is asked."""
        ...


def open_outlet(spec: OutletSpec, place: Place) -> Outlet:
    """The outlet registered for the kind. Raises NotFound when none is."""
    return cast(OutletClass, plugins.load("outlets", spec.kind))(spec, place)
