"""What a service does only with a section of the project file: without it the path says which one."""

import pytest

from .conftest import Running

PATHS = {
    "/v1/search": ("no_knowledge", "knowledge"),
    "/v1/chat": ("no_chat", "chat"),
    "/v1/chat/forget": ("no_chat", "chat"),
    "/v1/feedback": ("no_chat", "chat"),
    "/v1/recommend": ("no_items", "features.items"),
    "/v1/documents": ("no_documents", "service.documents"),
    "/v1/series": ("forecasts_nothing", "forecast"),
    "/v1/series/total/all": ("forecasts_nothing", "forecast"),
    "/v1/accuracy": ("forecasts_nothing", "forecast"),
    "/forecasts": ("forecasts_nothing", "forecast"),
    "/v1/entities": ("no_entities", "service.entities"),
    "/v1/entities/pump": ("no_entities", "service.entities"),
    "/entities": ("no_entities", "service.entities"),
    "/entities/pump": ("no_entities", "service.entities"),
    "/widget.js": ("no_chat", "chat"),
}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_without_its_section_says_which_one_is_missing(server: Running, path: str) -> None:
    code, section = PATHS[path]
    kind = {"content-type": "application/pdf"} if path == "/v1/documents" else {}
    asks = PATHS[path][1] in ("forecast", "service.entities") or path == "/widget.js"
    answer = server.client.request(
        "GET" if asks else "POST", path, **({} if asks else {"content": b"{}", "headers": kind})
    )
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["where"]) == (404, code, section)
    assert f"set `{section}` in the project file" in error["hint"]


def test_the_document_lists_only_what_is_there(server: Running) -> None:
    assert not set(PATHS) & set(server.anyone.get("/openapi.json").json()["paths"])
