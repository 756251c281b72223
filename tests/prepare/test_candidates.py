"""Cases that are items somebody may buy next: what is known of them, and that nothing of it lies in the future."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.retriever import COLUMNS

START = datetime(2026, 1, 1, tzinfo=UTC)
PURCHASES = "SELECT customer, item, bought_at, price FROM sales"
CATALOGUE = "SELECT item, item AS name, left(item, 1) AS category, true AS in_stock FROM shelf"
CASES = "SELECT pair, bought, held, customer, item, is_new, basket_items, basket_new, bought_at FROM candidates"
FIRST = "QUALIFY bought_at = min(bought_at) OVER (PARTITION BY customer)"
SPLIT = {"by": "given", "column": "held", "blocks": "customer"}
KEEP = ["customer", "item", "is_new", "basket_items", "basket_new", "bought_at"]


def sales(customers=60, baskets=5, seed=1):
    """Every customer has a taste: 8 of 30 items, of which a basket holds 3; a basket every ten days."""
    random = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        taste = random.choice(30, 8, replace=False)
        for basket in range(baskets):
            at = START + timedelta(days=10 * basket + int(random.integers(10)))
            rows += [(customer, f"i{item:02}", at, 1.0 + item) for item in random.choice(taste, 3, replace=False)]
    names = ("customer", "item", "bought_at", "price")
    return pa.table(dict(zip(names, zip(*rows, strict=True), strict=True)))


def shelf(items=30):
    return pa.table({"item": [f"i{item:02}" for item in range(items)]})


def made(project, purchases=PURCHASES, catalogue=CATALOGUE, spine=CASES, **items):
    section = {
        "purchases": project.sql("features/purchases.sql", purchases),
        "catalogue": project.sql("features/catalogue.sql", catalogue),
        "candidates": 12,
        "refit_days": 20,
    }
    more = {"entity": "pair", "label": "bought", "keep": KEEP, "split": SPLIT, "tables": {}}
    return project.prepare(spine, items=section | items, **more)


@pytest.fixture
def shop(project):
    project.source("sales", sales())
    project.source("shelf", shelf())
    return project


def test_the_newest_basket_of_each_customer_is_held_back_and_the_one_before_it_learned_from(shop):
    features = made(shop)
    rows = shop.rows(features).to_pandas()
    truth = sales().to_pandas()
    newest = truth.groupby("customer").bought_at.max()
    for part, when in (("test", newest), ("train", truth[truth.bought_at < truth.customer.map(newest)].groupby(
        "customer").bought_at.max())):  # fmt: skip
        own = rows[rows.split == part].groupby("customer").bought_at.agg(["min", "max"])
        assert len(own) == 60
        assert (own["min"] == own["max"]).all()
        assert own["max"].tolist() == [when[int(customer)] for customer in own.index]
    assert features.inputs.names == COLUMNS
    assert {ref.name for ref in features.parents} == {"sales", "shelf"}


def test_labels_and_counts_are_those_of_the_basket(shop):
    rows = shop.rows(made(shop)).to_pandas()
    truth = set(sales().select(["customer", "item", "bought_at"]).to_pandas().itertuples(index=False, name=None))
    told = zip(rows.customer.astype(int), rows.item, rows.bought_at, rows.bought, strict=True)
    assert all(((customer, item, at) in truth) == bought for customer, item, at, bought in told)
    assert (rows.basket_items == 3).all()
    assert (rows.times_bought.eq(0) == rows.is_new).all()
    assert rows.groupby(["customer", "split"]).basket_new.nunique().eq(1).all()


def test_nothing_that_comes_later_changes_what_is_said_of_a_case(project, tmp_path):
    whole, later = sales(), START + timedelta(days=45)
    project.source("sales", whole)
    project.source("shelf", shelf())
    before = project.rows(made(project, baskets=4)).to_pandas()
    # everything from a moment on is bought by others, at other prices; cases before it know nothing of that
    changed = whole.to_pandas()
    future = changed.bought_at >= later
    changed.loc[future, "price"] *= 10
    changed.loc[future, "item"] = "i00"
    project.source("sales2", pa.Table.from_pandas(changed.drop_duplicates(), preserve_index=False))
    cut = {"purchases": PURCHASES.replace("sales", "sales2")}
    after = project.rows(made(project, baskets=4, **cut)).to_pandas()
    first, second = (rows[rows.bought_at < later].set_index("pair").sort_index() for rows in (before, after))
    assert len(first) > 500
    assert first[[*COLUMNS, "bought"]].equals(second[[*COLUMNS, "bought"]])


def test_the_same_again_makes_no_new_version(shop):
    first, second = made(shop), made(shop)
    assert (first.version, first.digest, first.retriever) == (second.version, second.digest, second.retriever)
    assert first.retriever


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"purchases": "SELECT customer, item, price FROM sales"}, "column_missing"),
        ({"purchases": "SELECT customer, item, bought_at, 'dear' AS price FROM sales"}, "column_type"),
        ({"purchases": f"{PURCHASES} WHERE customer < 0"}, "no_purchases"),
        ({"purchases": PURCHASES.replace("item,", "nullif(item, 'i01') AS item,")}, "spine_null"),
        ({"purchases": f"{PURCHASES} {FIRST}"}, "no_second_basket"),
        ({"catalogue": f"{CATALOGUE} WHERE item <> 'i03'"}, "item_unknown"),
        ({"catalogue": f"{CATALOGUE} UNION ALL {CATALOGUE}"}, "entity_repeated"),
        ({"catalogue": CATALOGUE.replace("AS in_stock", "AS in_stock, 1 AS colour")}, "catalogue_column"),
        ({"spine": CASES.replace("pair", "item AS pair", 1)}, "entity_repeated"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_name(shop, given, code):
    with pytest.raises(InvalidInput) as refused:
        made(shop, **given)
    assert refused.value.code == code
