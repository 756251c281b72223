"""Azurite: Azure Blob Storage on this machine (``npm install -g azurite``)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from urllib.parse import urlencode

import pytest
from obstore.store import AzureStore
from tests.servers.seaweedfs import free_ports

ACCOUNT = "drivetrain"
KEY = base64.b64encode(b"a key made for these tests").decode()
VERSION = "2020-12-06"


@dataclass(frozen=True)
class BlobStore:
    """A running store, with a container ``words``."""

    port: int

    def container(self) -> AzureStore:
        config = {"account_name": ACCOUNT, "account_key": KEY, "endpoint": f"http://127.0.0.1:{self.port}/{ACCOUNT}"}
        return AzureStore("words", config=config, client_options={"allow_http": True})

    def sas(self, rights: str) -> str:
        """A shared access signature for the container, good for an hour."""
        until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        said = [rights, "", until, f"/blob/{ACCOUNT}/words", "", "", "", VERSION, "c", *[""] * 7]
        return urlencode({"sp": rights, "se": until, "sv": VERSION, "sr": "c", "sig": _signed("\n".join(said))})

    def make(self) -> None:
        """The container."""
        date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"x-ms-date": date, "x-ms-version": VERSION}
        shown = "".join(f"{name}:{value}\n" for name, value in headers.items())
        said = "PUT" + "\n" * 12 + shown + f"/{ACCOUNT}/{ACCOUNT}/words\nrestype:container"
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{_signed(said)}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("PUT", f"/{ACCOUNT}/words?restype=container", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 201, answer.read()
        connection.close()


def _signed(text: str) -> str:
    return base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()


@contextmanager
def blob_store(folder: Path) -> Iterator[BlobStore]:
    """The store, on a free port, with its files in ``folder``."""
    program = shutil.which("azurite-blob")
    if program is None:
        pytest.skip("azurite is not installed: npm install -g azurite")
    (port,) = free_ports(1)
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder), "--silent"]
    command += ["--skipApiVersionCheck", "--disableTelemetry"]
    with (folder / "log").open("wb") as log:
        accounts = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=accounts)
    try:
        _wait(port, process)
        store = BlobStore(port)
        store.make()
        yield store
    finally:
        process.kill()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "azurite ended"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            Event().wait(0.1)
        else:
            return
    raise AssertionError("azurite does not answer")
