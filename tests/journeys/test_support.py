"""Customer support, told by docs/scenarios/customer-support.md: two engineers, a chatbot, tickets, and watching it."""

import json
import os
import signal

import httpx
import pytest
from tests.serve.chat_desk import write_desk
from tests.serve.conftest import until
from tests.servers.crm_writes import CrmWriter
from tests.servers.taking import running

import drivetrain as package
from drivetrain.engine.serving import Server

OUTLET = """\
outlets:
  tickets:
    kind: crm
    system: zendesk
    object: tickets
    of: hand_overs
    history: true
    url: URL
    auth: {kind: bearer, token: {file: zendesk.token}}
    columns: {subject: "queue || ': ' || message", transcript: transcript, priority: priority}
    fields: {subject: "{subject}", comment.body: "{transcript}", priority: "{priority}"}
monitor: {min_rows: 20}
"""


@pytest.fixture
def crm():
    with running(CrmWriter()) as found:
        yield found


def test_two_engineers_carry_support_from_messages_to_tickets(tmp_path, commands, crm):
    home = write_desk(tmp_path / "desk")
    file = home / "drivetrain.yaml"
    file.write_text(file.read_text() + OUTLET.replace("URL", crm.url))
    (home / "zendesk.token").write_text("key\n")

    def run(*words, code=0):
        return commands(*words, cwd=home, code=code).stdout

    _signed_by_both(run)
    key = json.loads(run("keys", "add", "widget", "--rate", "50", "--json"))["key"]
    project = package.open(home)
    ready = project.catalog.state / "run" / "desk.json"
    with (
        project.catalog,
        Server(project.server_command(port=0, workers=2), ready) as server,
        httpx.Client(base_url=server.url, headers={"X-API-Key": key}, timeout=20) as client,
    ):

        def say(message, session=None):
            body = {"message": message, **({"session": session} if session else {})}
            return client.post("/v1/chat", json=body).raise_for_status().json()

        told = [say("how long does my refund take please") for _ in range(24)]
        assert {one["citations"][0]["id"] for one in told} == {"f1"}
        session = say("help my card was stolen, I lost my wallet")["session"]
        say("ann@example.com", session)
        over = say("2026-11-20", session)["hand_over"]
        assert (over["queue"], over["priority"]) == ("cards", "urgent")
        for one in told:
            client.post(
                "/v1/feedback", json={"prediction_id": one["prediction_id"], "helpful": True}
            ).raise_for_status()

        # The hand-over is a ticket, once.
        for _ in range(2):
            run("deliver", "tickets", "--as", "alex")
        (ticket,) = crm.records
        assert ticket.fields["subject"] == "cards: help my card was stolen, I lost my wallet"
        assert "person: <email>" in ticket.fields["comment"]["body"]

        # A worker is killed; the service goes on, and so does the conversation.
        (victim, *_) = json.loads(ready.read_bytes())["workers"]
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in json.loads(ready.read_bytes())["workers"])
        with httpx.Client(base_url=server.url, headers={"X-API-Key": key}, timeout=20) as fresh:
            body = {"message": "anybody there?", "session": session}
            assert fresh.post("/v1/chat", json=body).raise_for_status().json()["state"] == "handed_over"
        metrics = httpx.get(f"{server.url}/metrics", headers={"X-API-Key": key}).text
        assert "drivetrain_chats_handed_over_total" in metrics
        traced = json.loads(run("trace", told[0]["prediction_id"], "--json"))
        assert [step["what"] for step in traced["steps"]][:3] == ["prediction", "deployment", "release"]
        watched = json.loads(run("monitor", "--json"))
    assert watched["labelled"] == 24
    assert watched["rows"] >= 25


def _signed_by_both(run):
    """The machine learning engineer trains, looks at the proof, and signs; the AI engineer approves and deploys."""
    run("actors", "add", "mia", "--role", "ml-engineer")
    run("actors", "add", "alex", "--role", "ai-engineer")
    run("run")
    gates = {gate["gate"]: gate["verdict"] for gate in _report(run)["gates"]}
    assert gates["baseline"] == gates["parity"] == gates["safety"] == "pass"
    run("deploy", code=5)
    run("approve", "--as", "alex", "--comment", "read the model card and tried the passages")
    run("deploy")


def _report(run):
    ref = json.loads(run("ls", "report", "--json"))[-1]["ref"]
    return json.loads(run("show", ref, "--json"))
