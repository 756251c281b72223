"""From a folder of documents to a service that takes one: it is read and classified, its fields are found."""

import json
import random

import httpx
import pytest
from tests.conftest import with_identities
from tests.papers.bills import LAYOUTS, bills
from tests.papers.written import docx

from drivetrain.engine.documents import learn_fields
from drivetrain.engine.serving import Server

PROJECT = """\
project: inbox
sources:
  inbox:
    kind: documents
    path: inbox/
    ocr: false
    tagger: fields.npz
    limits: {seconds: 20}
    contract: {key: [path]}
features:
  spine: features/cases.sql
  entity: document
  label: kind
  task: classes
  texts: [text]
  tables:
    content: {sql: features/content.sql}
  split: {by: stratum, test: 0.3, seed: 0}
model:
  candidates: [{learner: text}]
  budget: {trials: 1}
  tracking: "off"
gates:
  accuracy: {min: 0.9}
  slices: null
  robustness: null
  champion: null
  leakage: {max_duplicates: 1}
  latency: {p99_ms: 1000}
service: {port: 0, documents: inbox}
"""
SAYINGS = [
    "we thank you for the visit",
    "the meeting is moved to Monday",
    "please send the report",
    "kind regards from the team",
]


@pytest.fixture(scope="module")
def inbox(tmp_path_factory):
    home, chance = tmp_path_factory.mktemp("inbox"), random.Random(0)
    (home / "features").mkdir()
    (home / "drivetrain.yaml").write_text(PROJECT)
    (home / "features" / "cases.sql").write_text(
        "SELECT path AS document, split_part(path, '/', 2) AS kind FROM inbox\n"
    )
    (home / "features" / "content.sql").write_text("SELECT path AS document, text FROM inbox\n")
    for kind in ("bill", "letter"):
        (home / "inbox" / kind).mkdir(parents=True)
    lines = []
    for number, bill in enumerate(bills(LAYOUTS, 35, seed=8)):
        (home / "inbox" / "bill" / f"{number}.pdf").write_bytes(bill.content)
        lines.append(json.dumps({"path": f"inbox/bill/{number}.pdf", "fields": dict(bill.truth)}))
    for number in range(35):
        text = ". ".join(chance.sample(SAYINGS, 3)) + f" no {number}"
        (home / "inbox" / "letter" / f"{number}.docx").write_bytes(docx(f"Dear Anna {number},", text))
    (home / "marked.jsonl").write_text("\n".join(lines))
    learn_fields(home / "marked.jsonl", home / "fields.npz", tried=0, ocr=False)
    project = with_identities(home)
    project.run()
    project.approve(project.release().ref, "read")
    project.deploy(project.release().ref)
    yield project
    project.catalog.close()


@pytest.fixture(scope="module")
def client(inbox):
    key = inbox.add_key("scanner")
    ready = inbox.catalog.state / "run" / "inbox.json"
    headers = {"Authorization": f"Bearer {key}"}
    with (
        Server(inbox.server_command(port=0), ready) as server,
        httpx.Client(base_url=server.url, headers=headers, timeout=30) as client,
    ):
        yield client


def send(client, content, kind="application/pdf"):
    return client.post("/v1/documents", content=content, headers={"content-type": kind})


def test_a_bill_is_read_classified_and_its_fields_are_found(client):
    (bill,) = bills(("table",), 1, seed=9)
    answer = send(client, bill.content).raise_for_status().json()
    assert answer["prediction"]["class"] == "bill"
    assert answer["prediction"]["decision"] in (True, False)
    assert answer["release"].startswith("release/inbox@")
    found = {field["kind"]: field for field in answer["document"]["fields"]}
    assert found["supplier"]["value"] == bill.truth["supplier"]
    assert found["total"]["value"].endswith(" EUR")
    assert len(found["total"]["box"]) == 4
    assert bill.truth["customer"] in answer["document"]["text"]


def test_the_answer_to_a_document_is_that_to_its_text(client):
    told = send(
        client, docx("Dear all,", "please send the report. mail me at anna@example.com"), "application/octet-stream"
    ).json()
    assert told["document"]["text"].endswith("mail me at <email>")
    assert told["prediction"]["class"] == "letter"
    again = client.post("/v1/predict", json={"rows": [{"text": told["document"]["text"]}]}).json()["predictions"][0]
    assert again["score"] == told["prediction"]["score"]
    label = {"labels": [{"prediction_id": told["prediction"]["id"], "label": "letter"}]}
    assert client.post("/v1/labels", json=label).json() == {"recorded": 1}


def test_what_cannot_be_read_is_refused_and_the_next_is_answered(client):
    for content, kind, status, code in (
        (b"%PDF-1.7 nothing", "application/pdf", 400, "document_unreadable"),
        (b"{\\rtf1 x}", "application/octet-stream", 415, "document_unknown"),
        (b"<p>word</p>" * 300_000, "text/html", 413, "document_too_large"),
        (b"x", "application/zip", 415, "media_type_unknown"),
        (b"x" * 5_000_000, "text/plain", 413, "body_too_large"),
    ):
        answer = send(client, content, kind)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert send(client, b"the meeting is moved to Monday", "text/plain").json()["prediction"]["class"] == "letter"
    assert httpx.post(f"{client.base_url}/v1/documents", content=b"x").status_code in (401, 415)


def test_the_path_is_documented(client):
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/v1/documents"]["post"]
    assert "application/pdf" in operation["requestBody"]["content"]
    assert {"release", "prediction", "document"} <= set(
        document["components"]["schemas"]["DocumentAnswer"]["properties"]
    )
