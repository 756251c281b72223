"""Every system by its preset, against its recorded shapes: first load, nothing new, what changed, what is gone."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError
from tests.servers.backlot import TOKEN, backlot
from tests.servers.crm import crm_service

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.contract import Contract
from drivetrain.core.errors import Forbidden, InvalidInput
from drivetrain.core.sources.crm import CrmSource
from drivetrain.ingest.crm import as_rest
from drivetrain.ingest.reading import Batch, open_reader
from drivetrain.store.files.batches import Change

START = datetime(2026, 1, 1, 10, tzinfo=UTC)
SYSTEMS = {
    "dynamics": ("accounts", "accountid", "word"),
    "hubspot": ("contacts", "id", "properties.word"),
    "jira": ("issues", "id", "fields.word"),
    "salesforce": ("Account", "Id", "word"),
    "servicenow": ("incident", "sys_id", "word"),
    "zendesk": ("tickets", "id", "word"),
}
TELLS_DELETES = {"salesforce", "zendesk"}
INCREMENTAL = set(SYSTEMS) - {"hubspot"}


@pytest.fixture
def crm():
    with crm_service() as running:
        for number in range(1, 6):
            running.put(number, f"word {number}", START + timedelta(minutes=number))
        yield running


def source(crm, system, **options):
    name, key, _ = SYSTEMS[system]
    auth = {"kind": "bearer", "token": {"env": "KEY"}}
    given = {
        "kind": "crm", "system": system, "object": name, "url": crm.url, "auth": auth,
        "fields": ["word"] if system == "salesforce" else [], "deadline_seconds": 0, "contract": Contract(key=(key,)),
    }  # fmt: skip
    return CrmSource.model_validate({**given, **options})


def read(spec, home, cursor="", key="key"):
    """The changes: which ids with which words (None: gone), how; and the cursor at the end (empty: nothing new)."""
    _, key_column, word_column = SYSTEMS[spec.system]
    changes, kinds, last = {}, set(), ""
    for item in open_reader(spec, Place(home, home / "cache", KnownSecrets({"KEY": key}, home))).read(cursor):
        if isinstance(item, Batch):
            kinds.add(item.change)
            words = (
                item.rows[word_column].to_pylist() if item.change is not Change.DROP else [None] * item.rows.num_rows
            )
            changes |= dict(zip(item.rows[key_column].to_pylist(), words, strict=True))
        else:
            last = item.cursor
    return changes, kinds, last


@pytest.mark.parametrize("system", SYSTEMS)
def test_all_rows_then_nothing_then_what_changed(crm, tmp_path, system):
    spec = source(crm, system)
    words, kinds, cursor = read(spec, tmp_path)
    assert words == {str(number): f"word {number}" for number in range(1, 6)}
    assert kinds == {Change.PUT if system in INCREMENTAL else Change.WHOLE}
    assert read(spec, tmp_path, cursor) == ({}, set(), "")
    asked = len(crm.asked)
    crm.put(2, "changed", START + timedelta(minutes=9))
    crm.put(6, "word 6", START + timedelta(minutes=9))
    words, _, after = read(spec, tmp_path, cursor)
    assert (words["2"], words["6"]) == ("changed", "word 6")
    assert (set(words) == {"2", "6"}) == (system in INCREMENTAL)
    assert read(spec, tmp_path, after) == ({}, set(), "")
    assert len(crm.asked) > asked


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_deleted_goes_where_the_system_tells_or_all_is_read(crm, tmp_path, system):
    tells = system in TELLS_DELETES
    spec = source(crm, system, incremental=tells)
    _, _, cursor = read(spec, tmp_path)
    crm.put(3, "word 3", START + timedelta(minutes=20), gone=True)
    words, kinds, _ = read(spec, tmp_path, cursor)
    if tells:
        assert (words, kinds) == ({"3": None}, {Change.DROP})
    else:
        assert (set(words), kinds) == ({"1", "2", "4", "5"}, {Change.WHOLE})


@pytest.mark.parametrize("system", sorted(INCREMENTAL))
def test_only_what_is_new_is_asked_for(crm, tmp_path, system):
    for number in range(100, 140):
        crm.put(number, "old", START - timedelta(days=30, minutes=number))
    spec = source(crm, system)
    _, _, cursor = read(spec, tmp_path)
    crm.asked.clear()
    read(spec, tmp_path, cursor)
    assert len(crm.asked) <= 3, "pages of old rows were asked for again"


def test_hubspot_and_jira_on_an_emulator_that_others_wrote(tmp_path):
    with backlot(tmp_path / "backlot") as url:
        for system, name, prefix in (("hubspot", "contacts", "hubspot"), ("jira", "issues", "atlassian")):
            auth, contract = {"kind": "bearer", "token": {"env": "KEY"}}, Contract(key=("id",))
            given = {"kind": "crm", "system": system, "object": name, "url": f"{url}/{prefix}", "auth": auth}
            spec = CrmSource.model_validate({**given, "contract": contract})
            place = Place(tmp_path, tmp_path, KnownSecrets({"KEY": TOKEN}, tmp_path))
            *batches, position = open_reader(spec, place).read("")
            assert sum(batch.rows.num_rows for batch in batches) >= 3
            assert list(open_reader(spec, place).read(position.cursor)) == []


def test_named_fields_go_into_the_question(crm, tmp_path):
    read(source(crm, "hubspot", fields=["word", "email"]), tmp_path)
    assert crm.asked[0][1]["properties"] == "id,word,email"
    read(source(crm, "dynamics", fields=["word"]), tmp_path)
    assert crm.asked[-1][1]["$select"] == "modifiedon,accountid,word"
    read(source(crm, "salesforce"), tmp_path)
    assert crm.asked[-1][0].startswith("/services/data/v62.0/queryAll/01g-")


def test_users_of_zendesk_that_are_not_active_any_more_go():
    given = {"kind": "crm", "system": "zendesk", "url": "https://acme.zendesk.com", "contract": Contract(key=("id",))}
    auth = {"kind": "bearer", "token": {"env": "KEY"}}
    users = as_rest(CrmSource.model_validate({**given, "object": "users", "auth": auth}))
    assert (users.path, users.deleted, users.deleted_value) == (
        "api/v2/incremental/users/cursor.json",
        "active",
        "false",
    )


def test_mistakes_in_the_project_file(crm, tmp_path):
    with pytest.raises(InvalidInput, match="one of tickets, users, organizations") as caught:
        read(source(crm, "zendesk", object="macros"), tmp_path)
    assert caught.value.code == "crm_object_unknown"
    with pytest.raises(ValidationError, match="needs a `key`"):
        source(crm, "jira", contract=Contract())
    with pytest.raises(ValidationError, match="`fields`"):
        source(crm, "salesforce", fields=[])
    with pytest.raises(ValidationError):
        source(crm, "jira", object="../secrets")


def test_credentials_that_are_refused(crm, tmp_path):
    with pytest.raises(Forbidden) as caught:
        read(source(crm, "jira"), tmp_path, key="old")
    assert caught.value.code == "credentials_refused"
