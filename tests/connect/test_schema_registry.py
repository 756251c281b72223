"""A registry is asked once a schema, tried again when it fails, and says what is wrong with a login."""

import pytest
from tests.servers.kafka import free_port
from tests.servers.schema_registry import schema_registry

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.schema_registry import Reference, Registry
from drivetrain.core.connections import SchemaRegistry
from drivetrain.core.credentials import NoSecrets, SecretRef
from drivetrain.core.errors import Forbidden, InvalidInput, Transient


@pytest.fixture
def server():
    with schema_registry() as found:
        yield found


def client(url, secrets=None, **login):
    return Registry(SchemaRegistry(url=url, **login), secrets or NoSecrets(), 2)


def test_a_schema_is_asked_for_once(server):
    server.put(7, {"type": "string"}, {"name": "n", "subject": "a/b", "version": 2})
    registry = client(server.url + "/")
    found = registry.by_id(7)
    assert (found.schema, found.references) == ('{"type": "string"}', (Reference("n", "a/b", 2),))
    assert registry.by_id(7) is found
    assert registry.by_id(8) is None
    assert registry.referred(found.references[0]) is None
    assert server.asked == ["/schemas/ids/7", "/schemas/ids/8", "/subjects/a%2Fb/versions/2"]


def test_the_newest_schema_of_a_subject_is_asked_for_each_time(server):
    registry = client(server.url)
    assert registry.latest("t-value") is None
    server.register("t-value", 7, {"type": "string"})
    assert (registry.latest("t-value").id, registry.latest("t-value").schema) == (7, '{"type": "string"}')


def test_a_registry_that_fails_is_asked_again(server):
    server.put(7, {"type": "string"})
    server.failures = 2
    assert client(server.url).by_id(7) is not None


def test_one_that_is_not_there_is_said_to_be_so():
    with pytest.raises(Transient, match="does not answer"):
        Registry(SchemaRegistry(url=f"http://127.0.0.1:{free_port()}"), NoSecrets(), 0.3).by_id(1)


def test_the_login(server, tmp_path):
    server.put(7, {"type": "string"})
    server.login = "ann:tulip"
    secrets = KnownSecrets({"GOOD": "tulip", "BAD": "rose"}, tmp_path)
    assert client(server.url, secrets, user="ann", password=SecretRef(env="GOOD")).by_id(7) is not None
    with pytest.raises(Forbidden) as caught:
        client(server.url, secrets, user="ann", password=SecretRef(env="BAD")).by_id(7)
    assert "rose" not in f"{caught.value!r} {caught.value}"


def test_another_service_at_the_address(server):
    server.schemas["/schemas/ids/1"] = ["hello"]
    with pytest.raises(InvalidInput, match="no schema"):
        client(server.url).by_id(1)
