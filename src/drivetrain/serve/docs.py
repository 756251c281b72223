"""The page ``/docs``: what the service takes and gives, and a form to try it. Nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import msgspec

from drivetrain.connect.http.messages import Headers
from drivetrain.core.model import CLASS, HIGH, LOW
from drivetrain.core.task import Task
from drivetrain.serve.contender import Contender
from drivetrain.serve.openapi import EXAMPLE_ID, example_label, example_row
from drivetrain.serve.rows import RowForm

HEADERS: Headers = (
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
    ),
)


def docs_page(service: str, champion: Contender, document: bytes, url: str) -> bytes:
    """The page for the OpenAPI ``document`` of a service that is reached at ``url``."""
    form, release = champion.form, champion.name
    described: dict[str, Any] = msgspec.json.decode(document)
    example = msgspec.json.encode({"rows": [example_row(form)]})
    answer = {"release": release, "predictions": [_example(champion)]}
    template = files("drivetrain.serve").joinpath("docs.html").read_text(encoding="utf-8")
    page = Template(template).substitute(
        service=escape(service),
        release=escape(release),
        description=escape(described["info"]["description"]),
        url=escape(url),
        curl=escape(example.decode().replace("'", "'\\''")),
        example=escape(msgspec.json.format(example, indent=2).decode()),
        answer=escape(msgspec.json.encode(answer).decode()),
        columns="\n".join(_column(form, described)),
        paths="\n".join(_paths(described)),
    )
    return page.encode()


def _example(champion: Contender) -> dict[str, object]:
    """An answer as it could be."""
    label = example_label(champion.release.signature)
    said: Mapping[Task, dict[str, object]] = {
        Task.YES_NO: {"score": 0.0412, "decision": False},
        Task.CLASSES: {"score": 0.9412, "decision": True, CLASS: label},
        Task.NUMBER: {"score": label, "decision": True, LOW: 38.0, HIGH: 46.5},
    }
    return {"id": EXAMPLE_ID, **said[champion.release.signature.task]}


def _column(form: RowForm, described: dict[str, Any]) -> list[str]:
    row = described["components"]["schemas"]["Row"]["properties"]
    cells = [
        (field.name, str(field.type), "yes" if field.nullable else "no", row[field.name]["description"])
        for field in form.asked
    ]
    if form.entity is not None:
        cells.append((form.entity, "text or integer", "yes", row[form.entity]["description"]))
    return [_line(*cell) for cell in cells]


def _paths(described: dict[str, Any]) -> list[str]:
    return [
        _line(f"{method.upper()} {path}", operation["summary"], _needed(operation))
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
    ]


def _needed(operation: dict[str, Any]) -> str:
    """What a key must be good for."""
    return ", ".join(scope for entry in operation["security"][:1] for scope in entry["bearer"]) or "none"


def _line(first: str, *rest: str) -> str:
    return f"<tr><td><code>{escape(first)}</code></td>{''.join(f'<td>{escape(cell)}</td>' for cell in rest)}</tr>"
