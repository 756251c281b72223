"""Numbers that workers count each for themselves, and that add up."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.serve.counts import BOUNDS, EVENTS, Counts

seconds = st.floats(0, 100)
deeds = st.one_of(
    st.tuples(st.just("answered"), st.sampled_from(["/a", "/b"]), st.sampled_from([200, 503]), seconds),
    st.tuples(st.just("predicted"), st.sampled_from(["r@1", "r@2"]), st.integers(1, 9), st.integers(0, 1)),
    st.tuples(st.just("happened"), st.sampled_from(sorted(EVENTS)), st.integers(0, 5)),
)


def counted(done: list[tuple[object, ...]]) -> Counts:
    counts = Counts()
    for name, *arguments in done:
        getattr(counts, str(name))(*arguments)
    return counts


@given(st.lists(st.lists(deeds, max_size=8), max_size=4))
def test_what_workers_counted_adds_up_to_what_one_would_have_counted(workers: list[list[tuple[object, ...]]]) -> None:
    total = Counts()
    for done in workers:
        total.add(counted(done))
    one = counted([deed for done in workers for deed in done])
    assert (total.requests, total.predictions, total.events) == (one.requests, one.predictions, one.events)
    assert total.buckets == one.buckets
    assert abs(total.seconds - one.seconds) < 1e-6


@given(st.lists(deeds, max_size=8))
def test_counts_travel_whole(done: list[tuple[object, ...]]) -> None:
    counts = counted(done)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(counts), type=Counts) == counts


@given(st.lists(seconds))
def test_every_answer_falls_into_the_first_bucket_that_holds_it(times: list[float]) -> None:
    counts = Counts()
    for time in times:
        counts.answered("/a", 200, time)
    assert sum(counts.buckets) == len(times) == counts.requests.get(("/a", 200), 0)
    for at, bound in enumerate(BOUNDS):
        assert sum(counts.buckets[: at + 1]) == sum(time <= bound for time in times)
