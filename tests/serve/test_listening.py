"""The address of a server: claimed before anything is started, shared by its workers, and by nobody else."""

from __future__ import annotations

import socket

import pytest

from drivetrain.connect.http.listening import claim, shared, url_of
from drivetrain.core.errors import InvalidInput
from drivetrain.serve.__main__ import main
from drivetrain.serve.settings import to_json
from drivetrain.testing.graphs import ROW

from .conftest import Running, settings_of


def refused(host: str, port: int, **more: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        claim(host, port, **more)
    assert caught.value.code == "address_unusable"
    return caught.value


def test_workers_share_an_address_that_was_claimed() -> None:
    with claim("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        with shared("127.0.0.1", port) as one, shared("127.0.0.1", port) as two:
            one.listen()
            two.listen()
            with socket.create_connection(("127.0.0.1", port)):
                pass
        assert url_of(held, "127.0.0.1") == f"http://127.0.0.1:{port}"
        assert url_of(held, "::1", tls=True) == f"https://[::1]:{port}"


def test_an_address_that_is_taken_is_an_error_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = refused("127.0.0.1", port)
        assert f"127.0.0.1:{port}" in error.message
        assert "0" in error.hint
        assert refused("127.0.0.1", port, setting="grpc_port").where == "grpc_port"


def test_an_address_of_another_machine_is_an_error() -> None:
    refused("192.0.2.1", 0)
    refused("no.such.host.invalid", 0)


def test_a_second_server_does_not_share_the_port_unnoticed(server: Running, capfd: pytest.CaptureFixture[str]) -> None:
    ready = server.said()
    assert main([to_json(settings_of(server.home, port=server.address[1]))]) == 1
    assert "[address_unusable]" in capfd.readouterr().err
    assert server.predict(ROW).status_code == 200
    assert server.said() == ready
