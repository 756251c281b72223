"""The contract of a Reader, kept by deliveries over real HTTP; and what becomes of them."""

import shutil

import pytest
from tests.ingest.webhook.conftest import SECRET, free_port, received, webhook_source

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.ingest.ingest import ingest
from drivetrain.ingest.reading import Batch, opened
from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Table
from drivetrain.testing.readers import ReaderContract


class TestWebhook(ReaderContract):
    @pytest.fixture(autouse=True)
    def _source(self, tmp_path):
        self.environment = {"HOOK_SECRET": SECRET}
        self.secrets = KnownSecrets(self.environment, tmp_path)
        self.spec_of = webhook_source(free_port())

    def make(self, home, rows):
        return self.add(home, rows)

    def add(self, home, rows):
        with received(self.spec_of, home, self.environment) as sender:
            for number, word in rows:
                assert sender.post({"id": number, "word": word}, name=f"m{number}").status == 202
        return self.spec_of

    def remove(self, home):
        del self.environment["HOOK_SECRET"]


def taken(hook):
    items = list(hook.reader.read(""))
    return [item for item in items if isinstance(item, Batch)], [item for item in items if not isinstance(item, Batch)]


def test_objects_lists_and_lines_become_rows(listening):
    hook = listening()
    hook.sender.post({"id": 1, "who": {"name": "Ann", "tags": ["a", 1]}}, name="a")
    hook.sender.post([{"id": 2}, {"id": 3}], name="b")
    hook.sender.post(b'{"id": 4}\n{"id": 5}\n', name="c")
    hook.sender.post([], name="d")
    (batch,), (position,) = taken(hook)
    assert [row["id"] for row in batch.rows.to_pylist()] == ["1", "2", "3", "4", "5"]
    assert batch.rows.to_pylist()[0] == {"id": "1", "who.name": "Ann", "who.tags": '["a",1]'}
    assert batch.numbers.to_pylist() == [1, 2, 3, 4, 5]
    assert list(hook.reader.read(position.cursor)) == []


def test_names_and_times_of_deliveries(listening):
    hook = listening(metadata=True)
    hook.sender.post([{"id": 1}, {"id": 2}], name="first")
    (batch,), _ = taken(hook)
    assert batch.rows.column("webhook_id").to_pylist() == ["first", "first"]
    assert batch.rows.column("received_at").to_pylist()[0].startswith("20")


def test_rows_that_cannot_be_columns_go_to_quarantine(listening):
    hook = listening()
    hook.sender.post([{"id": 1, "Word": "a"}, {"id": 2, "word": "b"}, {}, {"drivetrain_x": 1}], name="a")
    (batch,), _ = taken(hook)
    assert batch.rows.column("id").to_pylist() == ["1"]
    assert [row.number for row in batch.broken] == [2, 3, 4]


def test_more_than_one_batch(listening):
    hook = listening(max_body_bytes=4 << 20)
    for block in range(3):
        assert hook.sender.post([{"id": number} for number in range(8_000)], name=f"m{block}").status == 202
    batches, positions = taken(hook)
    assert [batch.rows.num_rows for batch in batches] == [16_000, 8_000]
    assert [item.rows.num_rows for item in hook.reader.read(positions[0].cursor) if isinstance(item, Batch)] == [8_000]


def test_an_inbox_that_is_gone_is_not_passed_over(tmp_path):
    environment, spec = {"HOOK_SECRET": SECRET}, webhook_source(free_port())
    with received(spec, tmp_path, environment) as sender:
        sender.post({"id": 1})
    secrets = KnownSecrets(environment, tmp_path)
    with Catalog(tmp_path) as catalog:
        ingest(spec, "hooks", catalog, secrets=secrets)
        shutil.rmtree(tmp_path / ".drivetrain" / "cache" / "webhook")
        with pytest.raises(Refused, match="webhook_gap"):
            ingest(spec, "hooks", catalog, secrets=secrets)
        with received(spec, tmp_path, environment) as sender:
            sender.post({"id": 2}, name="m2")
        accepting = spec.model_copy(update={"gaps": "accept"})
        dataset = ingest(accepting, "hooks", catalog, secrets=secrets)
        assert ingest(spec, "hooks", catalog, secrets=secrets) == dataset
        rows = Table(catalog.table_path("datasets", "hooks")).read().column("id").to_pylist()
    assert sorted(rows) == [1, 2]


def test_waiting_ends_when_something_comes(listening):
    hook = listening()
    assert hook.reader.wait(0)
    assert hook.rows() == []
    assert not hook.reader.wait(0.1)
    hook.sender.post({"id": 1})
    assert hook.reader.wait(5)
    assert hook.reader.lag() == 1
    assert hook.rows() == [{"id": "1"}]
    assert hook.reader.lag() == 0


def test_an_address_that_is_taken(listening, tmp_path, environment):
    hook = listening()
    place = Place(tmp_path, tmp_path / "cache", KnownSecrets(environment, tmp_path))
    with opened(hook.spec, place) as other, pytest.raises(InvalidInput, match="address_unusable"):
        other.wait(0)
