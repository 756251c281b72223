"""Pulling a span of rows over a connection that may break: what was passed on before is not passed on again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pcompute

from drivetrain.connect.databases.database import Database
from drivetrain.connect.databases.statements import Bound, Statement, Value
from drivetrain.connect.retrying import retrying
from drivetrain.core.errors import Refused, Transient
from drivetrain.ingest.databases.fetching import fetch
from drivetrain.ingest.databases.marks import Memory, last_value, not_after, not_before
from drivetrain.ingest.databases.relation import Relation

_BREAKS = 5
"""Connections that may break one after the other without a new row."""


@dataclass(frozen=True)
class Span:
    """Rows from ``low`` (the start, when None; after it, when ``strictly``) to ``high``, within ``clauses``.

    Of those up to ``known_to`` the ones in ``known`` were read before.
    """

    high: Value
    known: Memory
    low: Value | None = None
    known_to: Value | None = None
    strictly: bool = False
    clauses: tuple[Statement, ...] = ()


@dataclass(frozen=True)
class Pulled:
    """Rows in the order of the cursor; ``fresh`` are those that were not read before."""

    rows: pa.Table
    fresh: pa.BooleanArray


def pull(database: Database, relation: Relation, span: Span) -> Iterator[Pulled]:
    """The rows of the span; after a break from where it broke. Raises Transient when the server stays away."""
    breaks = 0
    while True:
        stream = retrying(_beginning(database, relation, span), relation.spec.retry_seconds)
        last, ties = span.low, Memory(span.known.identity)
        try:
            for rows in stream:
                fresh = _fresh(rows, span)
                value = last_value(rows, type(span.high).__name__, database.where)
                at_last = not_before(rows, value)
                if value != last or not pcompute.all(at_last).as_py():
                    last, ties = value, Memory(span.known.identity)
                ties.add(rows.filter(at_last))
                breaks = 0 if pcompute.any(fresh).as_py() else breaks
                yield Pulled(rows, fresh)
            return
        except (Transient, Refused) as error:
            breaks += 1
            can_go_on = isinstance(error, Transient) or (error.code == "sql_timeout" and ties.count)
            if not can_go_on or breaks > _BREAKS or not (ties.is_complete or relation.spec.way == "incremental"):
                raise
            if last is not None and ties.count:
                span = _rest(span, last, ties)


def _beginning(database: Database, relation: Relation, span: Span) -> Callable[[], Iterator[pa.Table]]:
    """What begins the stream of rows; it has its first batch then."""
    column, clauses = relation.column(relation.spec.cursor or ""), [*span.clauses]
    if span.low is not None:
        clauses.append((f"{column} {'>' if span.strictly else '>='} ", Bound(span.low)))
    clauses.append((f"{column} <= ", Bound(span.high)))
    order = tuple(dict.fromkeys([relation.spec.cursor or "", *relation.spec.contract.key]))
    statement = relation.rows(clauses, order, casting=database.family == "postgresql")

    def begin() -> Iterator[pa.Table]:
        stream = fetch(database, statement, relation.travelling)
        first = next(stream, None)
        return chain([first], stream) if first is not None else iter(())

    return begin


def _fresh(rows: pa.Table, span: Span) -> pa.BooleanArray:
    if not span.known.digests or span.known_to is None:
        return pa.array([True] * rows.num_rows, pa.bool_())
    return span.known.unknown(rows, not_after(rows, span.known_to))


def _rest(span: Span, last: Value, ties: Memory) -> Span:
    """What is left of the span once everything before ``last``, and ``ties`` at it, were passed on."""
    known = Memory(ties.identity, digests=[*span.known.digests, *(ties.digests if ties.is_complete else ())])
    known.count = len(known.digests)
    known_to = last if span.known_to is None or isinstance(last, str) else max(span.known_to, last)
    return replace(span, low=last, strictly=False, known=known, known_to=known_to)
