"""Who meets which release: the same customer always the same one, and as many as the share says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.refs import Kind, Ref
from drivetrain.serve.rows import Rows
from drivetrain.serve.shares import Slice

ONE, TWO = (Ref(Kind.RELEASE, "loans", version) for version in ("1" * 12, "2" * 12))


def row(entity: bytes, packed: bytes = b"x") -> Rows:
    return Rows(packed, [entity], False)


@given(st.binary(max_size=64), st.binary(min_size=8, max_size=48), st.floats(0, 1))
def test_a_request_belongs_by_its_entity_and_by_its_row_when_it_names_none(
    entity: bytes, packed: bytes, share: float
) -> None:
    part = Slice(ONE, share)
    assert part.has(row(entity, packed)) == Slice(ONE, share).has(row(entity, packed if not entity else b"another"))
    assert Slice(ONE, 1.0).has(row(entity, packed))
    assert not Slice(ONE, 0.0).has(row(entity, packed))
    if part.has(row(entity, packed)):  # who was in a smaller share is in a larger one too
        assert Slice(ONE, min(1.0, share * 1.5)).has(row(entity, packed))


def test_a_share_is_of_the_entities_and_another_release_gets_others() -> None:
    entities = [row(b"customer-%d" % number) for number in range(20_000)]
    mine = {number for number, rows in enumerate(entities) if Slice(ONE, 0.1).has(rows)}
    others = {number for number, rows in enumerate(entities) if Slice(TWO, 0.1).has(rows)}
    assert 1800 < len(mine) < 2200
    assert 1800 < len(others) < 2200
    assert 120 < len(mine & others) < 280, "a tenth of a tenth"
