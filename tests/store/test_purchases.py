"""Purchases of customers on disk: once each, bounded, and forgotten when they have to be."""

from __future__ import annotations

from contextlib import closing

from drivetrain.store.purchases import FILE, MOST, Purchase, Purchases


def test_a_purchase_counts_once_and_what_comes_later_is_not_known_before(tmp_path) -> None:
    with closing(Purchases(tmp_path)) as kept:
        kept.add([Purchase("ann", "tea", 10), Purchase("ann", "tea", 20), Purchase("bob", "jam", 10)])
        kept.add([Purchase("ann", "tea", 10)])
        assert kept.of("ann", 30) == [Purchase("ann", "tea", 20), Purchase("ann", "tea", 10)]
        assert kept.of("ann", 20) == [Purchase("ann", "tea", 10)]
        assert kept.of("eve", 30) == []
    with closing(Purchases(tmp_path)) as again:
        assert again.of("bob", 30) == [Purchase("bob", "jam", 10)]


def test_of_a_customer_the_newest_are_kept(tmp_path) -> None:
    with closing(Purchases(tmp_path)) as kept:
        kept.add([Purchase("ann", "tea", at) for at in range(MOST + 50)])
        kept.add([Purchase("bob", "jam", 1)])
        found = kept.of("ann", 10**9)
        assert (len(found), found[0].at, found[-1].at) == (MOST, MOST + 49, 50)
        assert len(kept.of("bob", 10)) == 1


def test_who_is_forgotten_is_gone_from_the_file(tmp_path) -> None:
    with closing(Purchases(tmp_path)) as kept:
        kept.add([Purchase("ann-of-kent", "tea", 10), Purchase("bob", "jam", 10), Purchase("bob", "jam", 90)])
        assert kept.forget("ann-of-kent") == 1
        assert kept.forget("ann-of-kent") == 0
        assert kept.forget_old(50) == 1
        assert kept.of("bob", 100) == [Purchase("bob", "jam", 90)]
    assert b"ann-of-kent" not in (tmp_path / FILE).read_bytes()
