"""Messages in plain language, from a CSV file to a server that reads them: urgent, or not?"""

import csv
import random

import httpx
import pytest
from tests.conftest import with_identities

from drivetrain.core.artifacts import Report
from drivetrain.core.refs import Kind
from drivetrain.engine.serving import Server

PROJECT = """\
project: messages
sources:
  messages:
    kind: files
    path: data/*.csv
    contract:
      key: [id]
      columns:
        id: {type: integer, nullable: false}
        message: {type: text}
        waited: {type: number, min: 0}
        urgent: {type: integer, nullable: false, min: 0, max: 1}
features:
  spine: features/cases.sql
  entity: message_id
  label: is_urgent
  texts: [message]
  tables:
    message: {sql: features/message.sql}
  split: {by: stratum, test: 0.3, seed: 0}
model:
  candidates:
    - learner: text
    - learner: hist_gradient_boosting
      params: {max_iter: 30}
  budget: {trials: 2}
  decision: {kind: cost, false_positive: 1, false_negative: 5}
  tracking: "off"
gates:
  roc_auc: {min: 0.8}
  slices: null
  robustness: {max_drop: 0.9}
  latency: {p99_ms: 1000}
service: {port: 0}
"""
URGENT, CALM = ["stolen", "blocked", "fraud", "sofort", "emergency"], ["opening hours", "newsletter", "danke", "rate"]
FILLER = ["please", "my card", "since yesterday", "hello", "I wait", "ça ne marche pas", "über", "again"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("messages")
    (folder / "features").mkdir()
    (folder / "data").mkdir()
    (folder / "drivetrain.yaml").write_text(PROJECT)
    (folder / "features/cases.sql").write_text("SELECT id AS message_id, urgent = 1 AS is_urgent FROM messages\n")
    (folder / "features/message.sql").write_text("SELECT id AS message_id, message, waited FROM messages\n")
    with (folder / "data/all.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "message", "waited", "urgent"])
        for number in range(600):
            chance = random.Random(number)
            urgent = chance.random() < 0.4
            said = chance.choice(URGENT if urgent != (chance.random() < 0.1) else CALM)
            words = [said, *chance.sample(FILLER, 3), str(number)]
            chance.shuffle(words)
            rows.writerow([number, "" if chance.random() < 0.03 else " ".join(words), chance.random(), int(urgent)])
    opened = with_identities(folder)
    opened.run()
    yield opened
    opened.catalog.close()


def test_the_gates_pass_on_texts(project):
    report = project.get(Report, project.list(Kind.REPORT)[0].ref)
    assert report.verdict == "pass"
    assert {"parity", "leakage", "robustness", "roc_auc"} <= {result.gate for result in report.gates}


def test_a_server_reads_messages(project):
    project.as_actor("alex").approve(comment="read the card")
    project.as_actor("alex").deploy()
    key = project.as_actor("alex").add_key("shop")
    with (
        Server(project.server_command(port=0), project.catalog.state / "run" / "messages.json") as server,
        httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}) as client,
    ):
        sent = [{"message": "my card was STOLEN", "waited": 0.5}, {"message": "your newsletter, danke", "waited": 0.5}]
        answer = client.post("/v1/predict", json={"rows": sent}).raise_for_status().json()
        urgent, calm = (prediction["score"] for prediction in answer["predictions"])
        assert (urgent > 0.6, calm < 0.4) == (True, True)
        odd = [{"waited": 1}, {"message": None, "waited": 2}, {"message": "\0\U0001f600" * 5000, "waited": 1}]
        assert len(client.post("/v1/predict", json={"rows": odd}).raise_for_status().json()["predictions"]) == 3
        wrong = client.post("/v1/predict", json={"rows": [{"message": 7, "waited": 1}]})
        assert (wrong.status_code, wrong.json()["error"]["where"]) == (400, "rows[0].message")
        waited = {"name": "waited", "shape": [1], "datatype": "FP64", "data": [0.5]}
        tensors = [waited, {"name": "message", "shape": [1], "datatype": "BYTES", "data": [sent[0]["message"]]}]
        infer = client.post("/v2/models/messages/infer", json={"inputs": tensors}).raise_for_status().json()
        assert infer["outputs"][0]["data"][0] == pytest.approx(urgent)
        described = client.get("/openapi.json").json()["components"]["schemas"]["Row"]["properties"]
        assert described["message"]["description"] == "Free text, read as language."
        assert set(described) == {"message", "waited", "message_id"}
