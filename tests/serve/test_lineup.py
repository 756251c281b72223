"""A release changes under load: no failed answer, no mixed one, and the way back takes no time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import numpy as np

from drivetrain.testing.graphs import as_json, draw, expected_score
from drivetrain.testing.releases import ReleaseMaker

from .conftest import Running, Start, Template, until
from .crowd import Crowd, mixed


@contextmanager
def long_requests(server: Running, flipped: str) -> Iterator[list[str]]:
    """Asks for 2,000 rows again and again; the releases that answered, each of them all the rows of its request."""
    rows = draw(2000, seed=99)
    body = {"rows": as_json(rows)}
    expected = np.array([expected_score(row) for row in rows])
    released: list[str] = []
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=server.url, headers=server.client.headers, timeout=20) as client:
            while not over.is_set():
                said = client.post("/v1/predict", json=body).json()
                scores = [prediction["score"] for prediction in said["predictions"]]
                right = 1 - expected if said["release"] == flipped else expected
                np.testing.assert_allclose(scores, right, atol=1e-9)
                released.append(said["release"])

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            yield released
        finally:
            over.set()
        asking.result()


def test_releases_take_over_from_each_other_while_everybody_keeps_asking(
    start: Start, maker: ReleaseMaker, template: Template
) -> None:
    good, same, flipped = (str(each.ref) for each in (template.good, template.same, template.flipped))
    server = start(workers=2)
    with long_requests(server, flipped) as long, Crowd(server, 16) as crowd:
        until(crowd.heard(good, 200))
        for version, release in ((2, template.flipped), (3, template.same), (4, template.flipped)):
            maker.deploy(release)
            server.deployed(version)
            after = time.monotonic()
            until(crowd.heard(str(release.ref), 200))
            assert {told.release for told in crowd.told if told.at > after + 0.5} <= {str(release.ref)}
        before = time.monotonic()
        maker.deploy(template.same, reason="back again")
        until(crowd.heard(same), 5)
        first = crowd.since(before, same)[0].at - before
        server.deployed(5)
        until(crowd.heard(same, 200))
        assert crowd.asks()
    assert crowd.failed == []
    assert len(set(long)) > 1, "long requests were answered by several releases, but each by one"
    assert mixed(crowd.told, flipped) == []
    assert {told.release for told in crowd.told} == {good, same, flipped}
    assert first < 1, "a rollback is immediate"
    assert server.metrics()["drivetrain_switches_total", "loans"] >= 4
