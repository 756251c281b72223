"""The OpenAPI document and the page made from it."""

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from drivetrain.access.api_keys import create_key
from drivetrain.access.scopes import SCOPES
from drivetrain.core.refs import Ref
from drivetrain.testing.graphs import ROW, SIGNATURE, logistic_model
from drivetrain.testing.releases import ReleaseMaker

from .conftest import Running, running, settings_of

CONFIGURATION = """\
# No schema can say that the tensors of a request fit each other and the model, so most that are drawn do not.
[[operations]]
include-path-regex = "/infer$"
checks.positive_data_acceptance.enabled = false
"""


@pytest.fixture(scope="module")
def document(server: Running) -> dict[str, Any]:
    answer = httpx.get(f"{server.url}/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [found for inner in value.values() for found in references(inner)]
    return [found for inner in value for found in references(inner)] if isinstance(value, list) else []


def resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to; raises KeyError when it leads nowhere."""
    while "$ref" in value:
        found = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = references(document)
    assert found
    for reference in found:
        assert resolved(document, {"$ref": reference})


def test_every_column_is_described(document: dict[str, Any], ref: Ref) -> None:
    row = document["components"]["schemas"]["Row"]
    assert list(row["properties"]) == [*SIGNATURE.names, "case"]
    assert row["required"] == ["age"]
    assert row["additionalProperties"] is False
    assert row["properties"]["age"]["description"] == "Between 18 and 99 in the training data."
    assert row["properties"]["city"]["examples"] == ["Aarau", "Bern", "Chur"]
    assert document["info"]["version"] == str(ref)
    assert document["openapi"] == "3.1.0"


def test_every_path_is_answered_as_it_is_documented(server: Running, document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            answer = server.client.request(method, path, json=content.get("example", {}))
            assert str(answer.status_code) in operation["responses"], path
            told = resolved(document, operation["responses"][str(answer.status_code)])
            assert answer.headers["content-type"].split(";")[0] in told["content"], path
            assert set(told.get("headers", {})) <= set(answer.headers), path
            keyless = httpx.request(method, server.url + path, json={})
            assert (keyless.status_code == 401) == (operation.get("security") != []), path


def test_a_key_opens_what_the_document_says_and_nothing_else(server: Running, document: dict[str, Any]) -> None:
    asked = {
        (method, path): operation["security"][0]["bearer"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if operation["security"]
    }
    assert {scope for (scope,) in asked.values()} == {"predict", "labels", "metrics"}
    state = server.home / ".drivetrain"
    keys = {scope: create_key(state, f"only-{scope}", only=(scope,)) for scope in SCOPES}
    for (method, path), (needed,) in asked.items():
        for scope, key in keys.items():
            answer = httpx.request(method, server.url + path, headers={"X-API-Key": key}, json={})
            assert (answer.status_code == 403) == (scope != needed), (path, scope)
            if scope != needed:
                told = answer.json()
                assert (told if "code" in told else told["error"])["code"] == "key_out_of_scope"
                assert "403" in document["paths"][path][method]["responses"]


def test_every_path_and_every_media_type_is_documented(server: Running, document: dict[str, Any]) -> None:
    for wrong, status in (("/nothing", 404), ("/v1/predict", 415)):
        refused = server.client.post(wrong, content=b"x", headers={"content-type": "text/nothing"})
        assert refused.status_code == status
    taken = refused.json()["error"]["hint"]
    media = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    assert list(media) == ["application/json", "application/x-ndjson", "application/vnd.apache.arrow.stream"]
    assert [kind for kind in media if kind not in taken] == []
    names = [operation["operationId"] for found in document["paths"].values() for operation in found.values()]
    assert len(names) == len(set(names))
    assert {"/v1/predict", "/v1/labels", "/v1/deployment", "/v2", "/metrics", "/docs", "/health"} <= set(
        document["paths"]
    )


def test_a_service_describes_its_own_paths(server: Running, document: dict[str, Any]) -> None:
    own = httpx.get(f"{server.url}/services/loans/openapi.json").json()
    short = {path for path in document["paths"] if path.startswith(("/v1", "/docs", "/openapi"))}
    assert set(own["paths"]) == {f"/services/loans{path}" if path in short else path for path in document["paths"]}
    example = own["paths"]["/services/loans/v1/predict"]["post"]["requestBody"]["content"]["application/json"][
        "example"
    ]
    assert server.client.post("/services/loans/v1/predict", json=example).status_code == 200


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """All operations, with data as documented and data that are not, and all that can be held against the document."""
    maker = ReleaseMaker(tmp_path / "project", "loans")
    maker.deploy(maker.release(logistic_model(no_score=np.inf)))  # every row that is as documented has a score
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    with running(settings_of(maker.home)) as server:
        command = [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(tmp_path / "schemathesis.toml"), "run",
            f"{server.url}/openapi.json", "--header", f"Authorization: Bearer {server.key}",
            "--phases", "examples,coverage,fuzzing", "--max-examples", "5", "--seed", "1", "--warnings", "off",
        ]  # fmt: skip
        hooks = {"PYTHONPATH": str(Path(__file__).parent), "SCHEMATHESIS_HOOKS": "hooks_of_schemathesis"}
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, **hooks}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        paths = httpx.get(f"{server.url}/openapi.json").json()["paths"]
        assert f"Tested: {len(paths) - 1}" in done.stdout  # all but the document itself, which it has read
        answered = [count for (name, *_), count in server.metrics().items() if name == "drivetrain_predictions_total"]
        assert sum(answered) > 20


def test_the_example_is_a_request_that_works(server: Running, document: dict[str, Any]) -> None:
    example = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    (prediction,) = server.client.post("/v1/predict", json=example).json()["predictions"]
    assert prediction["score"] == pytest.approx(0.5)
    assert set(example["rows"][0]) == set(ROW)


class Page(HTMLParser):
    """Where a page would load something from."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag != "a":
            self.loaded.extend(str(found[name]) for name in ("src", "href", "action") if name in found)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_shows_columns_and_paths_and_loads_nothing(
    server: Running, document: dict[str, Any], ref: Ref
) -> None:
    answer = httpx.get(f"{server.url}/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = Page()
    page.feed(answer.text)
    assert page.loaded == []
    shown = set(page.texts)
    assert set(SIGNATURE.names) <= shown
    assert {f"POST {path}" for path, found in document["paths"].items() if "post" in found} <= shown
    assert str(ref) in shown
