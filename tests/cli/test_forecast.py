"""``drivetrain forecast`` in a shop: what it says and keeps, who may, and what a spreadsheet gets."""

import csv
import json

import pytest
from python_calamine import CalamineWorkbook
from tests.conftest import with_identities
from tests.shop import DAYS, ITEMS, write_orders, write_shop

from drivetrain.core.errors import Forbidden, InvalidInput, NotFound
from drivetrain.core.roles import Role
from drivetrain.engine.forecast import make_forecast
from drivetrain.store.forecasts import Forecasts


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A shop whose release serves."""
    project = with_identities(write_shop(tmp_path_factory.mktemp("shop") / "shop"))
    project.add_actor("rita", Role.AUDITOR)
    project.run()
    project.approve()
    project.deploy()
    yield project
    project.catalog.close()


def test_a_forecast_is_kept_once_and_its_truth_arrives(shop, commands):
    first = json.loads(commands("forecast", "--as", "alex", "--json", cwd=shop.home).stdout)
    assert (first["is_new"], first["series"], first["orders"]) == (True, len(ITEMS) + 3, len(ITEMS))
    said = commands("forecast", "--as", "alex", cwd=shop.home).stdout
    assert "kept since an earlier run" in said
    kept = Forecasts(shop.catalog, "shop")
    assert kept.accuracy().num_rows == 0
    write_orders(shop.home / "data" / "second.csv", range(DAYS, DAYS + 7))
    commands("run", "--until", "prepare", "--as", "mia", cwd=shop.home)
    later = json.loads(commands("forecast", "--as", "mia", "--json", cwd=shop.home).stdout)
    assert later["is_new"]
    assert later["origin"] > first["origin"]
    found = {row["level"]: row for row in kept.accuracy().to_pylist()}
    assert set(found) == {"item", "kind", "total"}
    assert found["item"]["rows"] == 7 * len(ITEMS)
    assert found["item"]["coverage"] >= 0.7
    assert found["total"]["wape"] < found["item"]["wape"] < 0.35


def test_what_if_and_exports(shop, commands, tmp_path):
    cheap = tmp_path / "cheap.csv"
    told = json.loads(
        commands(
            "forecast", "--what-if", "price=-20%", "--export", cheap, "--as", "alex", "--json", cwd=shop.home
        ).stdout
    )
    assert told["what_if"] != pytest.approx(told["total"])
    rows = list(csv.DictReader(cheap.read_text().splitlines()))
    assert len(rows) == told["rows"]
    whole = [row for row in rows if row["series"] == "total/all"]
    assert sum(float(row["what_if"]) for row in whole) == pytest.approx(told["what_if"])
    orders = list(csv.DictReader((tmp_path / "cheap-orders.csv").read_text().splitlines()))
    assert {row["series"] for row in orders} == {f"item/{item}" for item in ITEMS}
    assert all(float(row["reorder_point"]) > float(row["demand"]) for row in orders)
    book = tmp_path / "forecast.xlsx"
    commands("forecast", "--export", book, "--as", "alex", cwd=shop.home)
    assert CalamineWorkbook.from_path(book).sheet_names == ["forecast", "orders"]
    sheet = CalamineWorkbook.from_path(book).get_sheet_by_name("forecast").to_python()
    assert sheet[0][:3] == ["run", "release", "features"]
    assert {row[6] for row in sheet[1:]} == {"total/all", "kind/home", "kind/out", *(f"item/{item}" for item in ITEMS)}


def test_who_may_not_and_what_is_not_there(shop, tmp_path):
    with pytest.raises(Forbidden, match=r"rita \(auditor\) may not forecast"):
        make_forecast(shop.as_actor("rita"))
    alex = shop.as_actor("alex")
    with pytest.raises(InvalidInput, match=r"written as forecast\.pdf"):
        make_forecast(alex, export=tmp_path / "forecast.pdf")
    (shop.home / "features" / "stock.sql").rename(shop.home / "features" / "gone.sql")
    try:
        with pytest.raises(NotFound, match=r"there is no features/stock\.sql"):
            make_forecast(alex)
    finally:
        (shop.home / "features" / "gone.sql").rename(shop.home / "features" / "stock.sql")


def test_a_project_that_forecasts_nothing_says_so(released):
    with pytest.raises(NotFound, match="does not say what to forecast"):
        make_forecast(released.as_actor("alex"))
