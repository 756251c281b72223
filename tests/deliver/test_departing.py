"""Hand-overs leave as tickets, once each, with the transcript; what was forgotten stays."""

import json

import pytest
from tests.servers.crm_writes import CrmWriter
from tests.servers.taking import running

from drivetrain.core.conversation import Memory
from drivetrain.core.credentials import NoSecrets, SecretRef
from drivetrain.core.errors import InvalidInput
from drivetrain.core.outlets.crm import CrmOutlet
from drivetrain.core.outlets.files import FilesOutlet
from drivetrain.deliver.deliver import Delivery, Origin
from drivetrain.deliver.outbox import Outbox
from drivetrain.store.catalog import Catalog
from drivetrain.store.conversations import Conversations, HandOver, Turn

ZENDESK = {
    "kind": "crm", "system": "zendesk", "object": "tickets", "of": "hand_overs", "history": True,
    "auth": {"kind": "bearer", "token": {"env": "KEY"}},
    "fields": {"subject": "{subject}", "comment.body": "{transcript}", "priority": "{priority}", "tags": "{queue}"},
    "columns": {"subject": "queue || ': ' || message", "transcript": "transcript", "priority": "priority",
                "queue": "queue"},
}  # fmt: skip


class Key(NoSecrets):
    def get(self, ref: SecretRef) -> str:
        return "key"


@pytest.fixture
def catalog(tmp_path):
    with Catalog(tmp_path) as opened:
        yield opened


@pytest.fixture
def kept(catalog):
    opened = Conversations(catalog.journal_path("desk"))
    yield opened
    opened.close()


def hand_over(kept, session, message="where is my parcel"):
    over = HandOver("front", "high", "order", message, {"email": "a@b.example"}, "widget", "release/desk@1", "p1")
    kept.add(session, "widget", Memory(turns=1), Turn(message, "A colleague takes over.", "p1", "order"), over)


def deliver(catalog, spec):
    with Delivery("tickets", spec, Origin("desk", "message_id"), catalog, Key()) as delivery:
        return delivery.run()


def test_a_hand_over_becomes_one_ticket(catalog, kept):
    with running(CrmWriter()) as crm:
        spec = CrmOutlet.model_validate({**ZENDESK, "url": crm.url})
        assert deliver(catalog, spec).taken == 0
        hand_over(kept, "s1")
        hand_over(kept, "s2", "second")
        assert deliver(catalog, spec).taken == 2
        assert deliver(catalog, spec).taken == 0
        first, second = (record.fields for record in crm.records)
        assert first["subject"] == "front: where is my parcel"
        assert first["comment"]["body"] == "person: where is my parcel\nservice: A colleague takes over."
        assert (second["priority"], second["external_id"]) == ("high", "s2")
        hand_over(kept, "s3")
        kept.forget("s3")
        hand_over(kept, "s4")
        assert deliver(catalog, spec).taken == 1
        assert [record.fields["external_id"] for record in crm.records] == ["s1", "s2", "s4"]
        outbox = Outbox(catalog, "tickets")
        assert len(outbox.told(["s1", "s4", "nobody"])) == 2
        assert outbox.told(["s3"]) == Outbox(catalog, "others").told(["s1"]) == ()


def test_all_columns_leave_where_none_are_named_and_expressions_may_name_them(catalog, kept, tmp_path):
    hand_over(kept, "s1")
    (tmp_path / "out").mkdir()
    told = {"kind": "files", "path": "out", "format": "jsonl", "of": "hand_overs", "history": True}
    assert deliver(catalog, FilesOutlet.model_validate(told)).taken == 1
    (file,) = (tmp_path / "out").iterdir()
    row = json.loads(file.read_text())
    assert (row["queue"], row["intent"], json.loads(row["slots"])) == ("front", "order", {"email": "a@b.example"})
    wrong = FilesOutlet.model_validate({**told, "where": "score > 0.5"})
    with pytest.raises(InvalidInput, match="score") as error:
        deliver(catalog, wrong)
    assert "transcript" in error.value.hint
