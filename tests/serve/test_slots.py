"""The numbers by which a worker's pulse names releases."""

from __future__ import annotations

import pytest

from drivetrain.core.errors import Refused
from drivetrain.core.refs import Kind, Ref
from drivetrain.serve.slots import Slots


def release(number: int) -> Ref:
    return Ref(Kind.RELEASE, "loans", f"{number:012x}")


def test_a_release_keeps_its_number_and_none_has_that_of_another() -> None:
    slots = Slots({})
    numbers = [slots.number(release(each)) for each in range(300)]
    assert set(numbers) == set(range(1, 256)), "they fit into a byte, and 0 means nobody"
    assert numbers[:255] == list(range(1, 256))
    assert slots.number(release(299)) == numbers[299]
    assert len(set(slots.releases.values())) == len(slots.releases) == 255
    assert str(release(0)) not in slots.releases.values(), "the oldest was given up"


def test_who_brought_workers_down_is_refused_by_name() -> None:
    slots = Slots({str(release(1)): "3 workers died"})
    slots.check(release(2))
    with pytest.raises(Refused, match="3 workers died") as caught:
        slots.check(release(1))
    assert (caught.value.code, caught.value.where) == ("release_quarantined", str(release(1)))
