"""Several streams at once, and the ranges of a column that make several streams of one relation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from threading import Event
from typing import TypeVar

from drivetrain.connect.databases.database import Look
from drivetrain.connect.databases.statements import Statement
from drivetrain.core.errors import InvalidInput
from drivetrain.ingest.databases.columns import Kind
from drivetrain.ingest.databases.relation import Relation

T = TypeVar("T")


def side_by_side(streams: Sequence[Iterator[T]]) -> Iterator[T]:
    """The items of all streams, in no order among them, each stream in a thread. Raises what any of them raises."""
    return streams[0] if len(streams) == 1 else _threaded(streams)


def _threaded(streams: Sequence[Iterator[T]]) -> Iterator[T]:
    queue: Queue[tuple[T] | None] = Queue(len(streams))
    stopped = Event()

    def work(stream: Iterator[T]) -> None:
        try:
            for item in stream:
                queue.put((item,))
                if stopped.is_set():
                    break
        except BaseException:  # the future holds it; the other streams need not go on
            stopped.set()
            raise
        finally:
            queue.put(None)

    with ThreadPoolExecutor(len(streams)) as pool:
        futures = [pool.submit(work, stream) for stream in streams]
        working = len(futures)
        try:
            while working:
                found = queue.get()
                if found is None:
                    working -= 1
                else:
                    yield found[0]
        finally:
            stopped.set()
            while working:  # a thread may wait for room in the queue
                working -= queue.get() is None
        for future in futures:
            future.result()


def ranges(look: Look, relation: Relation, clauses: Sequence[Statement]) -> list[tuple[Statement, ...]]:
    """Conditions that cut the rows of ``clauses`` into ``parallel`` parts; one empty condition where it is 1.

    Raises InvalidInput when the column that is to be cut is not an integer.
    """
    spec = relation.spec
    by = spec.parallel_by or spec.cursor or ""
    if spec.parallel == 1:
        return [()]
    if relation.kind(by) is not Kind.INTEGER:
        raise InvalidInput(
            "sql_parallel_unusable",
            f"`parallel` cannot divide the column {by!r}: it holds no integers",
            where=spec.table or "query",
            hint="name an integer column in `parallel_by`, or leave `parallel` out",
        )
    column = relation.column(by)
    ((low, high),) = look.ask(relation.one(f"min({column})::int8, max({column})::int8", clauses))
    if low is None or high is None:
        return [()]
    first, last = int(str(low)), int(str(high))
    step = max(1, -(-(last - first + 1) // spec.parallel))
    cuts = list(range(first + step, last + 1, step))
    below: list[Statement] = [(f"({column} < {cut} OR {column} IS NULL)",) for cut in cuts[:1]]
    below += [(f"{column} < {cut}",) for cut in cuts[1:]]
    above: list[Statement] = [(f"{column} >= {cut}",) for cut in cuts]
    return _parts(below, above)


def _parts(below: list[Statement], above: list[Statement]) -> list[tuple[Statement, ...]]:
    """Each part lies above the cut before it and below the cut after it."""
    lower: list[tuple[Statement, ...]] = [(), *((one,) for one in above)]
    upper: list[tuple[Statement, ...]] = [*((one,) for one in below), ()]
    return [(*one, *other) for one, other in zip(lower, upper, strict=True)]
