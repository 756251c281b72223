"""The purchases and the catalogue of a project whose cases are items that somebody may buy next."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.schema import ColumnType, Schema
from drivetrain.ops.purchases import Purchases
from drivetrain.ops.retriever import CatalogueItem
from drivetrain.prepare.session import Session, quoted
from drivetrain.prepare.spine import ENTITY_TYPES, TIME_TYPES, pick
from drivetrain.prepare.sql import SqlFile

_PURCHASES, _CATALOGUE = "_purchases", "_catalogue"
_NUMBERS = (ColumnType.INTEGER, ColumnType.NUMBER)
_WHERE = "features.items"


@dataclass(frozen=True)
class Shop:
    """What is sold, in the order of the items' names, and who bought it: ``customers`` by their places."""

    catalogue: tuple[CatalogueItem, ...]
    customers: NDArray[np.str_]
    purchases: Purchases


def read_shop(session: Session, purchases: SqlFile, catalogue: SqlFile) -> Shop:
    """Run both files and check them.

    Raises InvalidInput for columns that are missing or of other types, empty values, items that stand in the catalogue
    twice or are sold and do not, and for no purchases.
    """
    schema = session.make(purchases, _PURCHASES)
    for name, types in (
        ("customer", ENTITY_TYPES),
        ("item", ENTITY_TYPES),
        ("bought_at", TIME_TYPES),
        ("price", _NUMBERS),
    ):
        pick(schema, name, f"{_WHERE}.purchases", purchases, types)
    _refuse_nulls(session, _PURCHASES, ("customer", "item", "bought_at"), purchases)
    sold = _catalogue(session, catalogue)
    strangers = session.ask(
        f"SELECT DISTINCT CAST(item AS VARCHAR) FROM {_PURCHASES} "
        f"WHERE CAST(item AS VARCHAR) NOT IN (SELECT CAST(item AS VARCHAR) FROM {_CATALOGUE}) ORDER BY 1 LIMIT 6"
    )
    if strangers:
        raise InvalidInput(
            "item_unknown",
            f"items were bought that the catalogue does not hold: {examples(name for (name,) in strangers)}",
            where=purchases.path,
            hint=f"bring them into {catalogue.path}, or leave them out here",
        )
    rows = session.table(
        f"SELECT CAST(customer AS VARCHAR) AS customer, CAST(item AS VARCHAR) AS item, "
        f"CAST(epoch_us(CAST(bought_at AS TIMESTAMPTZ)) AS BIGINT) AS bought_at, CAST(avg(price) AS DOUBLE) AS price "
        f"FROM {_PURCHASES} GROUP BY ALL ORDER BY 1, 3, 2"
    )
    if not rows.num_rows:
        raise InvalidInput("no_purchases", "nobody bought anything", where=purchases.path, hint="check its WHERE")
    return _shop(sold, rows)


def _shop(catalogue: tuple[CatalogueItem, ...], rows: pa.Table) -> Shop:
    customers, customer = np.unique(np.asarray(rows.column("customer").to_numpy(), dtype=np.str_), return_inverse=True)
    places = {each.item: place for place, each in enumerate(catalogue)}
    items = np.array([places[item] for item in rows.column("item").to_pylist()], dtype=np.intp)
    at = np.asarray(rows.column("bought_at").to_numpy(), dtype=np.int64)
    price = np.asarray(rows.column("price").to_numpy(zero_copy_only=False), dtype=np.float64)
    order = np.lexsort((items, at, customer))
    return Shop(catalogue, customers, Purchases(customer[order], items[order], at[order], price[order]))


def _catalogue(session: Session, file: SqlFile) -> tuple[CatalogueItem, ...]:
    schema = session.make(file, _CATALOGUE)
    needed = (("item", ENTITY_TYPES), ("name", (ColumnType.TEXT,)), ("category", (ColumnType.TEXT,)),
              ("in_stock", (ColumnType.BOOLEAN,)))  # fmt: skip
    for name, types in needed:
        pick(schema, name, f"{_WHERE}.catalogue", file, types)
    _refuse_others(schema, [name for name, _ in needed], file)
    _refuse_nulls(session, _CATALOGUE, ("item", "in_stock"), file)
    rows = session.ask(
        f"SELECT CAST(item AS VARCHAR), coalesce(name, ''), coalesce(category, ''), in_stock "
        f"FROM {_CATALOGUE} ORDER BY 1"
    )
    found = tuple(CatalogueItem(str(item), str(name), str(kind), bool(stock)) for item, name, kind, stock in rows)
    names = [each.item for each in found]
    if twice := sorted({name for name, after in pairwise(names) if name == after}):
        raise InvalidInput(
            "entity_repeated",
            f"items stand in the catalogue more than once: {examples(twice)}",
            where=file.path,
            hint="make one row of each: GROUP BY item",
        )
    return found


def _refuse_others(schema: Schema, known: list[str], file: SqlFile) -> None:
    others = [name for name in schema.names if name not in known]
    if others:
        raise InvalidInput(
            "catalogue_column",
            f"nothing reads {examples(others)} of a catalogue",
            where=file.path,
            hint=f"leave them out; a catalogue has {', '.join(known)}",
        )


def _refuse_nulls(session: Session, table: str, names: tuple[str, ...], file: SqlFile) -> None:
    for name in names:
        missing = session.count(f"SELECT count(*) FROM {table} WHERE {quoted(name)} IS NULL")
        if missing:
            raise InvalidInput(
                "spine_null",
                f"column {name!r} is null in {missing:,} rows",
                where=file.path,
                hint=f"leave them out: WHERE {quoted(name)} IS NOT NULL",
            )
