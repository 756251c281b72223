"""The table ``candidates``: for each basket the items that a retriever found, and whether they were bought in it.

Nothing leaks: a retriever knows what was bought before its moment, which lies before that of the basket, and a history
ends just before it. What was bought and not found is counted beside, so that whoever measures a ranking knows of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.core.events import Progress
from drivetrain.core.items import CANDIDATES, ItemsSpec
from drivetrain.ops.history import DAY
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.purchases import Fitter
from drivetrain.ops.retriever import COLUMNS, Retriever
from drivetrain.prepare.items import Shop, read_shop
from drivetrain.prepare.session import Session
from drivetrain.prepare.sql import SqlFile

PAIR = "pair"
"""Names a row. It is a digest, so that the order of the rows says nothing, and any stretch of them is a fair sample."""
SAID = SqlFile("features.items", f"SELECT {PAIR}, {', '.join(COLUMNS)} FROM {CANDIDATES}".encode())
"""What is said of each candidate: all the inputs of the model, exactly as a server computes them."""
_MOMENT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Retrieved:
    """The table ``candidates``, and the retriever that knows of all purchases: the one that goes into service."""

    table: pa.Table
    retriever: Retriever


@dataclass(frozen=True)
class _Case:
    """A basket: where the purchases of its customer begin, its own begin and end, and whether it is held back."""

    first: int
    start: int
    end: int
    is_test: bool


def offer_candidates(session: Session, spec: ItemsSpec, files: Sequence[SqlFile], progress: Progress) -> Retriever:
    """Let feature files read the table ``candidates``; ``files`` are those of the spec. Gives what goes into service.

    Raises InvalidInput for purchases and a catalogue that cannot be used.
    """
    found = retrieve(read_shop(session, *files), spec, progress)
    session.offer(CANDIDATES, found.table)
    return found.retriever


def retrieve(shop: Shop, spec: ItemsSpec, progress: Progress) -> Retrieved:
    """Fit a retriever every ``refit_days``, and let the newest one before each case find its candidates.

    Raises InvalidInput when nobody bought twice.
    """
    at = shop.purchases.at
    cases = sorted(_cases(shop, spec.baskets), key=lambda case: int(at[case.start]))
    if not cases:
        raise InvalidInput(
            "no_second_basket",
            "no customer bought twice, so there is nothing to learn from",
            where="features.items",
            hint="bring a longer history",
        )
    fitter = Fitter(shop.catalogue, shop.purchases, spec)
    end, step = int(at.max()) + 1, round(spec.refit_days * DAY)
    parts: list[pa.Table] = []
    retriever, fitted = None, 0
    for number, case in enumerate(cases):
        moment = end - -(-(end - int(at[case.start])) // step) * step
        if retriever is None or moment != fitted:
            retriever, fitted = fitter.fit(moment), moment
            progress(number, len(cases), f"{number:,} of {len(cases):,} baskets")
        parts.append(_rows(shop, case, retriever))
    return Retrieved(pa.concat_tables(parts).sort_by(PAIR), fitter.fit(end))


def _cases(shop: Shop, newest: int) -> Iterator[_Case]:
    """The newest baskets of each customer, but for the first one, before which nothing is known."""
    baskets = list(shop.purchases.baskets())
    last = {first: at for at, (first, _, _) in enumerate(baskets)}
    for number, (first, start, end) in enumerate(baskets):
        if start > first and last[first] - number < newest:
            yield _Case(first, start, end, is_test=number == last[first])


def _rows(shop: Shop, case: _Case, retriever: Retriever) -> pa.Table:
    purchases = shop.purchases
    history = purchases.history(case.first, case.start)
    found = retriever.candidates(history)
    basket = purchases.items[case.start : case.end]
    fresh = int((~np.isin(basket, history.items)).sum())
    customer, at = str(shop.customers[purchases.customers[case.start]]), int(purchases.at[case.start])
    items = [shop.catalogue[place].item for place in found.places.tolist()]
    count = len(items)
    columns = {
        PAIR: pa.array([_pair(customer, at, item) for item in items]),
        "customer": pa.array([customer] * count),
        "item": pa.array(items),
        "bought_at": pa.array([at] * count, pa.int64()).cast(_MOMENT),
        "held": pa.array([case.is_test] * count),
        "bought": pa.array(np.isin(found.places, basket)),
        "is_new": pa.array(~np.isin(found.places, history.items)),
        "basket_items": pa.array([len(basket)] * count, pa.int64()),
        "basket_new": pa.array([fresh] * count, pa.int64()),
    }
    said = {name: _nullable(found.columns[:, place]) for place, name in enumerate(COLUMNS)}
    return pa.table({**columns, **said})


def _pair(customer: str, at: int, item: str) -> str:
    return blake2b(f"{customer}\0{at}\0{item}".encode(), digest_size=8).hexdigest()


def _nullable(values: Numbers) -> pa.Array:
    missing: NDArray[np.bool_] = np.isnan(values)
    return pa.array(values, mask=missing)
