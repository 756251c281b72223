"""Senders of webhooks, and a receiver of one source on a free port."""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.sources.pushed import WebhookSource
from drivetrain.ingest.webhook.reader import WebhookReader

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four b").decode()
AUTH = {"kind": "standard", "secrets": [{"env": "HOOK_SECRET"}]}


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: dict[str, object]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def webhook_source(port: int, **options: object) -> WebhookSource:
    listen = f"127.0.0.1:{port}"
    return WebhookSource.model_validate({"kind": "webhook", "listen": listen, "auth": AUTH, **options})


def signed(body: bytes, name: str, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """The headers of Standard Webhooks."""
    moment = str(int(time.time() if at is None else at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"{name}.{moment}.".encode() + body, "sha256")).decode()
    return {"webhook-id": name, "webhook-timestamp": moment, "webhook-signature": f"v1,{signature}"}


@dataclass
class Sender:
    """Somebody who delivers."""

    port: int
    context: ssl.SSLContext | None = None

    def post(
        self, body: object, headers: dict[str, str] | None = None, *, name: str = "m1", path: str = "/", method="POST"
    ) -> Reply:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        host = ("127.0.0.1", self.port)
        kind = http.client.HTTPSConnection if self.context else http.client.HTTPConnection
        options = {"context": self.context} if self.context else {}
        connection = kind(*host, timeout=20, **options)
        sent = {"content-type": "application/json", **(signed(content, name) if headers is None else headers)}
        try:
            connection.request(method, path, content, sent)
            answer = connection.getresponse()
            text = answer.read()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, json.loads(text or b"{}"))
        finally:
            connection.close()


@dataclass
class Hook:
    """A source that listens."""

    spec: WebhookSource
    place: Place
    environment: dict[str, str]
    reader: WebhookReader = field(init=False)
    context: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self.reader = WebhookReader(self.spec, self.place)

    @property
    def sender(self) -> Sender:
        return Sender(int(self.spec.listen.rpartition(":")[2]), self.context)

    def rows(self) -> list[dict[str, object]]:
        """What waits, from the start of the inbox."""
        batches = [item for item in self.reader.read("") if hasattr(item, "rows")]
        return [row for batch in batches for row in batch.rows.to_pylist()]


@pytest.fixture
def environment() -> dict[str, str]:
    return {"HOOK_SECRET": SECRET}


@pytest.fixture
def listening(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., Hook]]:
    """``listening(path="/hooks")``: a source with these options, which listens."""
    opened: list[Hook] = []

    def start(**options: object) -> Hook:
        place = Place(tmp_path, tmp_path / "cache", KnownSecrets(environment, tmp_path))
        hook = Hook(webhook_source(free_port(), **options), place, environment)
        hook.reader.wait(0)
        opened.append(hook)
        return hook

    yield start
    for hook in opened:
        hook.reader.close()


@contextmanager
def received(spec: WebhookSource, home: Path, environment: dict[str, str]) -> Iterator[Sender]:
    """A receiver of the source for a moment, in the project ``home``."""
    place = Place(home, home / ".drivetrain" / "cache", KnownSecrets(environment, home))
    reader = WebhookReader(spec, place)
    reader.wait(0)
    try:
        yield Sender(int(spec.listen.rpartition(":")[2]))
    finally:
        reader.close()
