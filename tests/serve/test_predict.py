"""``POST /v1/predict``, over HTTP."""

import math

import httpx
import pytest

from drivetrain.core.refs import Ref
from drivetrain.testing.graphs import ROW, TYPICAL, expected_score

from .conftest import Running

PACKED = [25.0, 1200.5, 0.0, 2.0, 10956 * 86400.0, 1769860800.0]


def error(response: httpx.Response) -> dict[str, str]:
    return response.json()["error"]


def test_rows_are_answered_in_order_with_release_id_score_and_decision(server: Running, ref: Ref) -> None:
    answer = server.predict(ROW, {"age": 60}, {"age": 40, "city": "nowhere", "case": "c-1"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    assert set(said) == {"release", "predictions"}
    assert said["release"] == str(ref)
    missing = [math.nan] * 4
    packed = [PACKED, [60.0, math.nan, *missing], [40.0, math.nan, math.nan, -1.0, math.nan, math.nan]]
    scores = [prediction["score"] for prediction in said["predictions"]]
    assert scores == pytest.approx([expected_score(row) for row in packed], abs=1e-12)
    assert [prediction["decision"] for prediction in said["predictions"]] == [score >= 0.5 for score in scores]
    ids = [prediction["id"] for prediction in said["predictions"]]
    assert ids == sorted(set(ids))
    assert all(set(prediction) == {"id", "score", "decision"} for prediction in said["predictions"])


@pytest.mark.parametrize("asked", ["body", "query"])
def test_reasons_add_up_to_the_score(server: Running, asked: str) -> None:
    query = "?explain=true" if asked == "query" else ""
    body = {"rows": [ROW, {"age": 40}], **({"explain": True} if asked == "body" else {})}
    answer = server.client.post(f"/v1/predict{query}", json=body)
    first, typical = answer.json()["predictions"]
    effects = [reason["effect"] for reason in first["reasons"]]
    logit = math.log(first["score"] / (1 - first["score"])) - math.log(1)
    assert logit == pytest.approx(sum(effects), abs=0.2)  # the weakest of six is not among the top five
    assert effects == sorted(effects, key=lambda effect: -abs(effect))
    assert first["reasons"][0] == {
        "field": "income-per-month", "value": 1200.5, "typical": 3000.0, "effect": pytest.approx(0.89975)
    }  # fmt: skip
    assert {reason["field"]: reason["value"] for reason in first["reasons"]}["city"] == "Chur"
    assert typical["reasons"] == []


def test_explaining_can_be_refused_to_be_asked(server: Running) -> None:
    answer = server.client.post("/v1/predict?explain=yes", json={"rows": [ROW]})
    assert (answer.status_code, error(answer)["where"]) == (400, "explain")
    plain = server.client.post("/v1/predict?explain=false", json={"rows": [ROW]})
    assert "reasons" not in plain.json()["predictions"][0]
    many = server.predict(*[ROW] * 101, explain=True)
    assert (many.status_code, error(many)["code"]) == (413, "explained_rows_too_many")


def test_a_mistake_names_the_row_and_the_field_and_what_to_do(server: Running) -> None:
    answer = server.predict(ROW, ROW, {**ROW, "incomepermonth": 3})
    assert answer.status_code == 400
    assert answer.json() == {
        "error": {
            "code": "field_unknown",
            "message": "there is no field incomepermonth",
            "where": "rows[2].incomepermonth",
            "hint": "did you mean income-per-month?",
        }
    }


def test_a_row_the_model_cannot_score_is_the_callers_mistake(server: Running) -> None:
    answer = server.predict(ROW, {**ROW, "income-per-month": 1e10})
    assert (answer.status_code, error(answer)["where"]) == (400, "rows[1]")


def test_ten_thousand_rows_are_answered_and_one_more_is_refused(server: Running) -> None:
    row = {"age": 40}
    answer = server.predict(*[row] * 10_000)
    scores = {prediction["score"] for prediction in answer.json()["predictions"]}
    assert len(answer.json()["predictions"]) == 10_000
    assert max(scores) - min(scores) < 1e-12
    assert min(scores) == pytest.approx(expected_score([40.0, *TYPICAL[1:]]), abs=1e-12)
    refused = server.predict(*[row] * 10_001)
    assert (refused.status_code, error(refused)["code"]) == (413, "rows_too_many")
