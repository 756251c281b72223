"""The OpenAPI document and the page made from it."""

from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from drivetrain.core.refs import Ref
from drivetrain.testing.graphs import ROW, SIGNATURE

from .conftest import Running


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


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = references(document)
    assert found
    schemas = document["components"]["schemas"]
    assert {name.removeprefix("#/components/schemas/") for name in found} <= set(schemas)


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
            kind = next(iter(operation["responses"][str(answer.status_code)]["content"]))
            assert answer.headers["content-type"].startswith(kind), path
            keyless = httpx.request(method, server.url + path, json={})
            assert (keyless.status_code == 401) == (operation.get("security") != []), path


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
