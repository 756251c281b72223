"""What a load after a cursor reads: from where, to where, and what it passes over."""

from __future__ import annotations

from dataclasses import dataclass

from drivetrain.connect.databases.database import Look
from drivetrain.connect.databases.statements import Bound, Statement, Value
from drivetrain.core.errors import Refused
from drivetrain.ingest.databases.columns import GONE, Kind
from drivetrain.ingest.databases.marks import Mark, Memory, before, unusable, value_of
from drivetrain.ingest.databases.pulling import Span
from drivetrain.ingest.databases.relation import Relation
from drivetrain.ingest.databases.side_by_side import ranges


@dataclass(frozen=True)
class Plan:
    """The spans to read, up to ``high``; rows from ``near_from`` on are remembered by ``identity``."""

    relation: Relation
    high: Value
    near_from: Value
    identity: tuple[str, ...]
    spans: tuple[Span, ...]


def plan(look: Look, relation: Relation, mark: Mark | None, where: str) -> Plan | None:
    """The plan of a load that goes on from ``mark``; None where the relation is empty.

    Raises Refused for a cursor with NULLs, of another type than before, or where the rows read before are not there.
    """
    spec = relation.spec
    column, kind = relation.column(spec.cursor or ""), relation.kind(spec.cursor or "")
    if kind in (Kind.BOOLEAN, Kind.BYTES, Kind.JSON):
        raise unusable(f"a column of the type {kind}", where)
    ((nulls,),) = look.ask(relation.one("min(1)", [(f"{column} IS NULL",)]))
    if nulls is not None:
        raise _refused("null", "there are rows without a value in it: they would never be read", relation, where)
    ((newest,),) = look.ask(relation.one(f"max({column})"))
    if newest is None:
        return None
    high = value_of(newest, type(newest).__name__, where)
    low, strictly, known = _start(look, relation, mark, high, where)
    if mark is not None and spec.way == "incremental" and not isinstance(high, str):
        high = max(high, mark.position)
    bounds: list[Statement] = [(f"{column} <= ", Bound(high))]
    if low is not None:
        bounds.append((f"{column} >= ", Bound(low)))
    cut = ranges(look, relation, bounds)
    known_to = mark.position if mark else None
    spans = tuple(
        Span(high, Memory(known.identity, known.count, [*known.digests]), low, known_to, strictly, part) for part in cut
    )
    return Plan(relation, high, before(high, spec.look_back, where), _identity(relation), spans)


def _start(
    look: Look, relation: Relation, mark: Mark | None, high: Value, where: str
) -> tuple[Value | None, bool, Memory]:
    """The first value to read, whether only what lies after it, and the rows to pass over."""
    identity = _identity(relation)
    if mark is None:
        return None, False, Memory(identity)
    at = mark.position
    if type(at) is not type(high):
        raise _refused("changed", f"its type was {mark.kind} and is {type(high).__name__} now", relation, where)
    known = mark.memory()
    if relation.spec.way == "incremental":
        told = known.is_complete and set(known.identity) <= set(identity)
        return before(at, relation.spec.look_back, where), False, known if told else Memory(identity)
    if not isinstance(high, str) and high < at:  # type: ignore[operator]  # they are of one type
        raise _refused("back", "its highest value is lower than when it was read last", relation, where)
    if known.is_complete and set(known.identity) <= set(identity):
        return at, False, known
    column = relation.column(relation.spec.cursor or "")
    ((count,),) = look.ask(relation.one("count(*)", [(f"{column} = ", Bound(at))]))
    if count != mark.near:
        complaint = f"{count} rows have the last value now, there were {mark.near}, and which are new cannot be told"
        raise _refused("coarse", complaint, relation, where)
    return at, True, Memory(identity)


def _identity(relation: Relation) -> tuple[str, ...]:
    """The columns by which a row is remembered."""
    spec = relation.spec
    if spec.way == "append" and spec.contract.key:
        return spec.contract.key
    return (*(field.name for field in relation.fields), *((GONE,) if spec.deleted else ()))


def _refused(name: str, complaint: str, relation: Relation, where: str) -> Refused:
    message = f"the cursor {relation.spec.cursor!r}: {complaint}"
    match name:
        case "null":
            hint = "fill it, or exclude these rows in a `query`, or choose another `cursor`"
            return Refused("sql_cursor_null", message, where=where, hint=hint)
        case "changed":
            hint = "give the source a new name to load it from the start"
            return Refused("sql_cursor_changed", message, where=where, hint=hint)
        case "back":
            hint = "were rows deleted? `mode: whole`; else give the source a new name to load it from the start"
            return Refused("sql_cursor_back", message, where=where, hint=hint)
        case _:
            hint = "give the contract a `key` and use `mode: incremental`, or choose a finer `cursor`"
            return Refused("sql_cursor_coarse", message, where=where, hint=hint)
