"""What a retriever learns of a small shop in which bread goes with butter, and what it says of a history."""

import numpy as np
import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.core.items import ItemsSpec
from drivetrain.ops.history import DAY, history_of
from drivetrain.ops.purchases import Fitter, Purchases
from drivetrain.ops.retriever import COLUMNS, CatalogueItem, retriever_from

ITEMS = ("bread", "butter", "soap", "brush", "red lamp", "red lamp large")
CATALOGUE = tuple(CatalogueItem(item, item.upper(), item.split()[0]) for item in sorted(ITEMS))
PLACE = {item.item: place for place, item in enumerate(CATALOGUE)}
NOW = 100 * DAY


def purchases():
    """40 customers: half of them buy bread, then butter, the others soap, then brush; two know the red lamp too."""
    rows = []
    for customer in range(40):
        first, then = ("bread", "butter") if customer % 2 else ("soap", "brush")
        rows += [(customer, PLACE[first], customer * DAY, 2.0), (customer, PLACE[then], (customer + 50) * DAY, 3.0)]
    rows += [(customer, PLACE["red lamp"], 60 * DAY, 9.0) for customer in range(12)]
    customers, items, at, price = (np.array(values) for values in zip(*sorted(rows), strict=True))
    order = np.lexsort((items, at, customers))
    return Purchases(customers[order], items[order], at[order], price[order])


def fitter(**changed):
    spec = ItemsSpec(purchases="p", catalogue="c", **{"candidates": 10} | changed)
    return Fitter(CATALOGUE, purchases(), spec)


@pytest.fixture(scope="module", params=["ease", "als"])
def retriever(request):
    return fitter(method=request.param).fit(NOW)


def said(retriever, history, item):
    (row,) = retriever.columns(history, np.array([PLACE.get(item, -1)]))
    return dict(zip(COLUMNS, row.tolist(), strict=True))


def bought(*items):
    return history_of(np.array([PLACE[item] for item in items], np.intp), np.full(len(items), 90 * DAY), NOW)


def test_what_goes_together_is_found_by_either_method(retriever):
    bread = bought("bread")
    assert said(retriever, bread, "butter")["goes_with"] > 2 * abs(said(retriever, bread, "brush")["goes_with"])
    assert said(retriever, bought("soap"), "brush")["goes_with"] > said(retriever, bread, "brush")["goes_with"]


def test_a_moment_knows_what_was_before_it_alone():
    early = fitter().fit(50 * DAY)
    assert early.popular_ever[PLACE["butter"]] == 0
    assert np.isnan(early.price[PLACE["butter"]])
    assert early.popular_ever[PLACE["bread"]] == pytest.approx(0.5)
    rising = fitter()
    rising.fit(50 * DAY)
    assert rising.fit(NOW).files("") == fitter().fit(NOW).files("")  # step by step, or at once


def test_own_columns_speak_of_the_history(retriever):
    found = said(retriever, bought("bread", "soap"), "bread")
    assert (found["times_bought"], found["days_since_bought"], found["baskets_since_bought"]) == (1, 10, 0)
    assert (found["customer_items"], found["customer_baskets"], found["price"]) == (2, 1, 2.0)
    other = said(retriever, bought("bread", "soap"), "butter")
    assert (other["times_bought"], other["price_to_usual"]) == (0, 1.5)
    assert np.isnan(other["days_since_bought"])


def test_an_item_nobody_bought_is_found_by_its_name(retriever):
    places = retriever.candidates(bought("red lamp")).places.tolist()
    assert PLACE["red lamp large"] not in places[:1]
    assert said(retriever, bought("red lamp"), "red lamp large")["alike"] > 0.5
    wide = fitter(candidates=20).fit(NOW)
    assert PLACE["red lamp large"] in wide.candidates(bought("red lamp")).places.tolist()


def test_whoever_bought_nothing_gets_what_is_popular(retriever):
    found = retriever.candidates(bought())
    popular = retriever.popular[found.places]
    assert len(found.places) >= 3
    assert (popular[:1] == retriever.popular.max()).all()


def test_what_is_barred_is_no_candidate(retriever):
    found = retriever.candidates(bought("bread"), np.array([PLACE["bread"], PLACE["butter"]]))
    assert not {PLACE["bread"], PLACE["butter"]} & set(found.places.tolist())


def test_a_stranger_is_an_item_of_which_nothing_is_known(retriever):
    found = said(retriever, bought("bread"), "nobody knows it")
    assert (found["goes_with"], found["popular"], found["times_bought"], found["customer_items"]) == (0, 0, 0, 1)


def test_it_travels_as_files_and_says_the_same(retriever):
    other = retriever_from(retriever.files("items/"), "items/")
    history = bought("bread", "red lamp")
    ours, theirs = retriever.candidates(history), other.candidates(history)
    assert ours.places.tolist() == theirs.places.tolist()
    assert np.array_equal(ours.columns, theirs.columns, equal_nan=True)
    assert other.catalogue == CATALOGUE


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("retriever.json", None, "model_incomplete"),
        ("items.npy", None, "model_incomplete"),
        ("retriever.json", b"{}", "model_unreadable"),
        ("items.npy", b"garbage", "model_unreadable"),
    ],
)
def test_a_damaged_file_is_named(retriever, name, content, code):
    files = retriever.files("items/")
    files.pop(f"items/{name}")
    if content is not None:
        files[f"items/{name}"] = content
    with pytest.raises(InvalidInput) as refused:
        retriever_from(files, "items/")
    assert refused.value.code == code
