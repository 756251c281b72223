"""What a server says about itself: all is well, some of it is, nothing is; and what stands and is judged."""

from pathlib import Path

import pytest

from drivetrain.serve.settings import ServiceSettings
from drivetrain.testing.graphs import ROW
from drivetrain.testing.releases import ReleaseMaker

from .conftest import OTHER, SERVICE, Running, Start, Template, spoil, until

LIVE = ("/health/live", "/v2/health/live")
READY = ("/health", "/health/ready", "/v2/health", "/v2/health/ready")


@pytest.mark.parametrize("path", [*LIVE, *READY])
def test_all_is_well(pair: Running, template: Template, path: str) -> None:
    answer = pair.anyone.get(path)
    assert answer.status_code == 200
    said = answer.json()
    assert (said["status"], said["live"], said["ready"]) == ("ready", True, True)
    assert said["services"] == [
        {"service": name, "state": "ready", "release": str(release.ref), "deployment": 1, "reason": ""}
        for name, release in ((SERVICE, template.good), (OTHER, template.flipped))
    ]


def test_a_service_that_cannot_be_loaded_is_quarantined_and_the_others_serve(
    home: Path, template: Template, start: Start
) -> None:
    cards = ReleaseMaker(home, OTHER, SERVICE)
    cards.deploy(template.flipped)
    spoil(home, template.flipped, "model/model.onnx")
    server = start(others=(ServiceSettings(home, OTHER),))
    for path in (*LIVE, *READY):
        answer = server.anyone.get(path)
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    sick = server.health(OTHER)
    assert (sick["state"], sick["release"], sick["deployment"]) == ("quarantined", "", 0)
    assert "model.onnx" in sick["reason"]
    assert server.said(OTHER)["state"] == "quarantined"
    assert server.said(OTHER)["reason"] == sick["reason"]
    assert server.said(SERVICE)["state"] == "ready"
    assert server.predict(ROW).status_code == 200
    refused = server.client.post(f"/services/{OTHER}/v1/predict", json={"rows": [ROW]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "service_quarantined")
    assert "retry-after" in refused.headers
    tensors = {"inputs": [{"name": "age", "shape": [1], "datatype": "INT64", "data": [25]}]}
    assert server.client.post(f"/v2/models/{OTHER}/infer", json=tensors).json()["code"] == "service_quarantined"
    assert server.anyone.get(f"/v2/models/{OTHER}/ready").status_code == 503
    for path in (f"/v2/models/{OTHER}", f"/services/{OTHER}/v1/deployment", f"/services/{OTHER}/docs"):
        assert server.client.get(path).status_code == 503
    assert server.metrics()["drivetrain_ready", OTHER] == 0
    cards.deploy(template.same)
    server.deployed(2, OTHER)
    assert server.health(OTHER)["state"] == server.said(OTHER)["state"] == "ready"
    assert server.anyone.get("/health").json()["status"] == "ready"
    assert server.client.post(f"/services/{OTHER}/v1/predict", json={"rows": [ROW]}).status_code == 200


def test_what_stands_is_told_with_all_who_take_part(start: Start, maker: ReleaseMaker, template: Template) -> None:
    server = start()
    alone = server.client.get("/v1/deployment").json()
    assert (alone["deployment"], alone["champion"]) == ("deployment/loans@1", str(template.good.ref))
    assert (alone["challenger"], alone["shadows"], alone["criteria"]) == ("", [], [])
    maker.deploy(template.good, template.same, 1.0, shadows=[template.flipped])
    server.deployed(2)
    assert server.predict(*[ROW] * 10).status_code == 200
    said = server.client.get("/v1/deployment").json()
    assert (said["challenger"], said["shadows"]) == (str(template.same.ref), [str(template.flipped.ref)])
    assert (said["rows"], said["labels"]) == (10, 0)
    assert {criterion["name"] for criterion in said["criteria"]} >= {"errors", "decision rate"}
    assert all(criterion["evidence"] < 1 for criterion in said["criteria"])
    until(lambda: server.metrics()["drivetrain_shadow_rows_total", SERVICE] == 10)
