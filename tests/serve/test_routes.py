"""Which path leads to which service, and what is said of paths that lead nowhere."""

import pytest

from drivetrain.core.refs import Ref
from drivetrain.testing.graphs import ROW

from .conftest import OTHER, SERVICE, Running, Template, until

BODY = {"rows": [ROW]}
TENSORS = {"inputs": [{"name": "age", "shape": [1], "datatype": "INT64", "data": [25]}]}


def test_the_first_service_has_the_short_paths_and_every_one_has_its_own(pair: Running, template: Template) -> None:
    told = {
        path: pair.client.post(path, json=BODY).json()
        for path in ("/v1/predict", f"/services/{SERVICE}/v1/predict", f"/services/{OTHER}/v1/predict")
    }
    assert [answer["release"] for answer in told.values()] == [*[str(template.good.ref)] * 2, str(template.flipped.ref)]
    first, same, other = (answer["predictions"][0]["score"] for answer in told.values())
    assert first == same == pytest.approx(1 - other)


def test_labels_go_to_the_service_of_the_path(pair: Running) -> None:
    before = {name: pair.metrics().get(("drivetrain_labels_total", name), 0) for name in (SERVICE, OTHER)}
    label = {"labels": [{"prediction_id": "p", "label": True}]}
    assert pair.client.post(f"/services/{OTHER}/v1/labels", json=label).json() == {"recorded": 1}
    until(lambda: pair.metrics()["drivetrain_labels_total", OTHER] == before[OTHER] + 1)
    assert pair.metrics()["drivetrain_labels_total", SERVICE] == before[SERVICE]


def test_models_are_known_by_their_name(pair: Running, template: Template) -> None:
    for name, ref in ((SERVICE, template.good.ref), (OTHER, template.flipped.ref)):
        assert pair.client.get(f"/v2/models/{name}").json()["versions"] == [ref.version]
        for path in (f"/v2/models/{name}/infer", f"/v2/models/{name}/versions/{ref.version}/infer"):
            answer = pair.client.post(path, json=TENSORS).json()
            assert (answer["model_name"], answer["model_version"]) == (name, ref.version)
        assert pair.anyone.get(f"/v2/models/{name}/versions/{ref.version}/ready").json()["ready"]


@pytest.mark.parametrize("tail", ["", "/infer", "/ready"])
def test_a_version_that_does_not_answer_is_unknown(pair: Running, template: Template, tail: str) -> None:
    for version in (template.flipped.ref.version, template.good.ref.version[:-1], "1", ""):
        path = f"/v2/models/{SERVICE}/versions/{version}{tail}"
        answer = pair.client.get(path) if tail != "/infer" else pair.client.post(path, json=TENSORS)
        assert (answer.status_code, answer.json()["code"]) == (404, "path_unknown")


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/v1/predit", "/v1/predict"),
        ("/V1/Predict", "/v1/predict"),
        ("/v1/predict/", "/v1/predict"),
        ("/service/cards/v1/predict", "/services/cards/v1/predict"),
        ("/services/card/v1/predict", "/services/cards/v1/predict"),
        ("/helth", "/health"),
    ],
)
def test_the_nearest_path_is_named(pair: Running, path: str, near: str) -> None:
    answer = pair.client.post(path, json=BODY)
    assert (answer.status_code, answer.json()["error"]["hint"]) == (404, f"did you mean {near}?")


def test_a_path_far_from_all_others_is_pointed_at_the_list(pair: Running) -> None:
    answer = pair.client.get("/" + "x" * 5000)
    assert (answer.status_code, answer.json()["error"]["hint"]) == (404, "GET /docs lists what there is")
    assert len(answer.json()["error"]["where"]) <= 80


def test_a_path_may_be_escaped_and_have_a_query(pair: Running, ref: Ref) -> None:
    assert pair.client.post("/v1/%70redict?explain=false&x=1", json=BODY).json()["release"] == str(ref)


def test_every_service_has_a_page_of_its_own(pair: Running, template: Template) -> None:
    for path, ref in (("", template.good.ref), (f"/services/{OTHER}", template.flipped.ref)):
        assert pair.anyone.get(f"{path}/openapi.json").json()["info"]["version"] == str(ref)
        assert f"{pair.url}{path}/v1/predict" in pair.anyone.get(f"{path}/docs").text
