"""The predictive analytics platform: one engineer makes features and model, the other the APIs around its forecasts.

docs/scenarios/predictive-analytics.md tells the same on the pack's own data.
"""

import csv
import io
import json

import httpx
import pytest
from tests.conftest import with_identities
from tests.shop import DAYS, ITEMS, write_orders, write_shop

from drivetrain.core.errors import Forbidden
from drivetrain.engine.forecast import make_forecast
from drivetrain.engine.serving import Server


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """The shop after both did their part: a release that serves, and a forecast."""
    project = with_identities(write_shop(tmp_path_factory.mktemp("platform") / "shop"))
    mia, alex = project.as_actor("mia"), project.as_actor("alex")
    with pytest.raises(Forbidden):
        alex.run()
    mia.run()
    with pytest.raises(Forbidden):
        mia.approve()
    alex.approve(comment="read the back-test with the buyers")
    alex.deploy(reason="first forecast")
    make_forecast(alex)
    yield alex
    project.catalog.close()


def rows_of(answer):
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_a_dashboard_reads_what_the_platform_forecasts(platform, commands):
    key = platform.add_key("business-intelligence")
    ready = platform.catalog.state / "run" / "shop.json"
    with Server(platform.server_command(port=0), ready) as server:
        as_csv = {"Authorization": f"Bearer {key}", "Accept": "text/csv"}
        with httpx.Client(base_url=server.url, headers=as_csv, timeout=30) as reader:
            listed = rows_of(reader.get("/v1/series"))
            assert len(listed) == len(ITEMS) + 3
            assert sum(float(row["forecast"]) for row in listed if row["level"] == "item") == pytest.approx(
                next(float(row["forecast"]) for row in listed if row["level"] == "total")
            )
            assert rows_of(reader.get("/v1/accuracy")) == [], "the truth has not arrived"
            write_orders(platform.home / "data" / "second.csv", range(DAYS, DAYS + 7))
            commands("run", "--until", "prepare", "--as", "mia", cwd=platform.home)
            commands("forecast", "--as", "alex", cwd=platform.home)
            good = {row["level"]: row for row in rows_of(reader.get("/v1/accuracy"))}
            assert float(good["item"]["coverage"]) >= 0.7
            assert len({row["origin"] for row in rows_of(reader.get("/v1/series/item/cup/forecasts"))}) == 2
            seen = rows_of(reader.get("/v1/series/total/all?days=14"))
            assert [bool(row["actual"]) for row in seen] == [True] * 14 + [False] * 7
        refused_and_seen(platform, server.url, key)
        monitored(platform, server.url, key, commands)


def refused_and_seen(platform, url, key):
    """Whoever guesses is refused, and that is counted; a key that is taken back is refused at once."""
    for _ in range(3):
        assert httpx.get(f"{url}/v1/series", headers={"X-API-Key": "guessed"}).status_code == 401
    metrics = httpx.get(f"{url}/metrics", headers={"X-API-Key": key}).text
    counted = [line for line in metrics.splitlines() if 'path="/v1/series"' in line and '"401"' in line]
    assert [float(line.rsplit(" ", 1)[1]) for line in counted if "_total" in line] == [3.0]
    other = platform.add_key("someone-who-left")
    assert httpx.get(f"{url}/v1/accuracy", headers={"X-API-Key": other}).status_code == 200
    platform.revoke_key("someone-who-left")


def monitored(platform, url, key, commands):
    """What the service answers is watched like any other."""
    row = {"is_weekend": True, "price": 4.0}
    answer = httpx.post(f"{url}/v1/predict", json={"rows": [row] * 50}, headers={"X-API-Key": key})
    assert answer.json()["predictions"][0]["low"] < answer.json()["predictions"][0]["high"]
    assert json.loads(commands("monitor", "--as", "mia", "--json", cwd=platform.home).stdout)["rows"] == 50
