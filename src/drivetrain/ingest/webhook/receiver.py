"""Takes deliveries in over HTTP: each is checked, kept on disk, and answered only then.

The server's own HTTP (``connect.http``) in a thread of its own. Deliveries that come together are kept together, so
that the disk is waited for once for all of them.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
import ssl
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import msgspec
import uvloop

from drivetrain.connect.http.listener import Listener
from drivetrain.connect.http.listening import claim
from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.connect.http.settings import ConnectionLimits, Tls
from drivetrain.connect.http.tls import Certificate
from drivetrain.connect.place import Place
from drivetrain.core.errors import DrivetrainError
from drivetrain.core.sources.pushed import WebhookSource
from drivetrain.ingest.webhook.inbox import Delivery, Inbox
from drivetrain.ingest.webhook.rows import NoRows, rows_of
from drivetrain.ingest.webhook.signatures import Unsigned, secrets_of, verify

_log = logging.getLogger("drivetrain")
_JSON = ("content-type", "application/json")
_TYPES = {"application/json", "application/x-ndjson", "application/jsonl", "application/ndjson", ""}
_NAME_CHARACTERS = 256
_DRAIN_SECONDS, _LOOK_SECONDS, _SECRETS_SECONDS = 5.0, 0.5, 10.0
_FULL_SECONDS, _DISK_SECONDS = 10, 30
_SPEAK = {400: "http_invalid", 408: "request_too_slow", 413: "body_too_large", 431: "head_too_large"}


class Refusal(Exception):
    """A delivery that is not taken: status, code and text of the answer, and in how many seconds to come again."""

    def __init__(self, status: int, code: str, text: str, again: int = 0) -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.again = status, code, text, again

    @property
    def answer(self) -> Answer:
        """What the caller hears."""
        body = msgspec.json.encode({"error": {"code": self.code, "message": self.text}})
        again = (("retry-after", str(self.again)),) if self.again else ()
        return Answer(self.status, (_JSON, *again), body)


class Receiver:
    """Listens until it is closed. ``arrived`` is set whenever something new is in the inbox."""

    def __init__(self, spec: WebhookSource, place: Place, folder: Path) -> None:
        self.arrived = threading.Event()
        self._spec, self._place = spec, place
        self._secrets: tuple[str, ...] = ()
        self._asked_at = -math.inf
        self._look_up()
        host, _, port = spec.listen.rpartition(":")
        self._certificate = _certificate(spec, place)
        self._socket = claim(host.strip("[]"), int(port), setting="listen")
        self._reading, self._writing = Inbox(folder), Inbox(folder)
        self._waiting, self._looked_at = self._reading.waiting(), 0.0
        self._pending: list[tuple[Exchange, Delivery]] = []
        self._allowance = spec.requests_per_second or 0.0
        self._filled_at = time.monotonic()
        self._flushing: asyncio.Task[None] | None = None
        self._disk = ThreadPoolExecutor(1, "webhook-disk")
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Event
        begun: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._serve(begun)), name="webhook")
        self._thread.start()
        begun.result()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Answer what was accepted, and listen no more."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._disk.shutdown()
        self._reading.close()
        self._writing.close()
        self._socket.close()

    # --- in the thread of the loop ------------------------------------------------------------------------------

    async def _serve(self, begun: Future[None]) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        listener = Listener(self, ConnectionLimits(max_body_bytes=self._spec.max_body_bytes))
        context: ssl.SSLContext | None = self._certificate.context if self._certificate else None
        try:
            await listener.listen(self._socket.dup(), context)
        except OSError as error:
            begun.set_exception(error)
            return
        begun.set_result(None)
        while not self._over.is_set():
            if self._certificate is not None:
                self._certificate.refresh()
            try:
                await asyncio.wait_for(self._over.wait(), 1.0)
            except TimeoutError:
                continue
        await listener.drain(_DRAIN_SECONDS)
        if self._flushing is not None:
            await self._flushing

    def open(self, exchange: Exchange) -> None:
        """The head of a request is here: refuse what need not be read."""
        try:
            self._admit(exchange)
        except Refusal as refusal:
            exchange.answer(refusal.answer)

    def handle(self, exchange: Exchange) -> None:
        """A delivery is here: check it, and have it kept."""
        if exchange.head.path == "/healthz":
            exchange.answer(Answer(200, (_JSON,), b'{"status":"ok"}'))
            return
        try:
            delivery = self._delivery(exchange)
        except Refusal as refusal:
            exchange.answer(refusal.answer)
            return
        if not delivery.rows:
            exchange.answer(_answer(delivery, None))
            return
        self._pending.append((exchange, delivery))
        if self._flushing is None:
            self._flushing = self._loop.create_task(self._flush())

    def refuse(self, status: int, reason: str) -> Answer:
        """The answer to what never became a request."""
        return Refusal(status, _SPEAK.get(status, "http_invalid"), reason).answer

    def _admit(self, exchange: Exchange) -> None:
        head, spec = exchange.head, self._spec
        if head.path == "/healthz" and head.method in ("GET", "HEAD"):
            return
        if head.path != spec.path:
            raise Refusal(404, "path_unknown", "deliveries are not taken here")
        if head.method != "POST":
            raise Refusal(405, "method_unknown", "a delivery is a POST")
        if head.headers.get("content-type", "").partition(";")[0].strip().lower() not in _TYPES:
            raise Refusal(415, "media_type_unknown", "a delivery is JSON")
        if (head.length or 0) > spec.max_body_bytes:
            raise Refusal(413, "body_too_large", f"the body is larger than {spec.max_body_bytes} bytes")
        if not self._allowed():
            raise Refusal(429, "too_many_requests", "more deliveries than are taken in a second", 1)
        if self._is_full(head.length or 0):
            raise Refusal(429, "inbox_full", "more waits to be loaded than is kept", _FULL_SECONDS)

    def _allowed(self) -> bool:
        """A bucket of tokens that holds what a second brings (one at least)."""
        rate = self._spec.requests_per_second
        if rate is None:
            return True
        now = time.monotonic()
        self._allowance = min(max(rate, 1.0), self._allowance + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _is_full(self, size: int) -> bool:
        """Loads make room behind our back, so a full inbox is looked at again, twice a second."""
        limit, now = self._spec.max_waiting_bytes, time.monotonic()
        if self._waiting + size > limit and now - self._looked_at > _LOOK_SECONDS:
            self._waiting, self._looked_at = self._reading.waiting(), now
        return self._waiting + size > limit

    def _delivery(self, exchange: Exchange) -> Delivery:
        headers, body = exchange.head.headers, exchange.body
        self._verify(headers, body)
        name = headers.get(self._spec.names_by)
        if name is not None and not 0 < len(name) <= _NAME_CHARACTERS:
            raise Refusal(400, "id_invalid", f"{self._spec.names_by} has 1 to {_NAME_CHARACTERS} characters")
        try:
            rows = rows_of(body)
        except NoRows as error:
            raise Refusal(400, "body_not_json", str(error)) from None
        return Delivery(name, sha256(body).digest(), len(rows), body)

    def _verify(self, headers: dict[str, str], body: bytes) -> None:
        """Secrets that do not fit are looked up anew: they may have been exchanged."""
        try:
            try:
                verify(self._spec.auth, self._secrets, headers, body, time.time())
            except Unsigned:
                if not self._look_up():
                    raise
                verify(self._spec.auth, self._secrets, headers, body, time.time())
        except Unsigned as error:
            raise Refusal(401, "signature_invalid", str(error)) from None
        except DrivetrainError as error:
            raise Refusal(503, error.code, "this receiver is not set up well", _DISK_SECONDS) from None

    def _look_up(self) -> bool:
        """Whether the secrets are other ones now; asked for every ten seconds at most."""
        now = time.monotonic()
        if now - self._asked_at < _SECRETS_SECONDS:
            return False
        self._asked_at, before = now, self._secrets
        self._secrets = secrets_of(self._spec, self._place)
        return self._secrets != before

    async def _flush(self) -> None:
        """Keep what came together, then what came meanwhile."""
        try:
            while self._pending:
                batch, self._pending = self._pending, []
                await self._keep(batch)
        finally:
            self._flushing = None

    async def _keep(self, batch: list[tuple[Exchange, Delivery]]) -> None:
        deliveries = [delivery for _, delivery in batch]
        try:
            known = await self._loop.run_in_executor(self._disk, self._writing.add, deliveries)
        except sqlite3.Error as error:
            refusal = Refusal(503, "inbox_unusable", f"it cannot be kept: {error}", _DISK_SECONDS)
            for exchange, _ in batch:
                exchange.answer(refusal.answer)
            return
        self._waiting += sum(len(one.body) for one, before in zip(deliveries, known, strict=True) if before is None)
        self.arrived.set()
        for (exchange, delivery), before in zip(batch, known, strict=True):
            exchange.answer(_answer(delivery, before))


def _answer(delivery: Delivery, before: Delivery | None) -> Answer:
    """The same for a delivery that comes again; its name may not come with another body."""
    if before is not None and before.digest != delivery.digest:
        return Refusal(422, "id_reused", "another delivery came under the same id").answer
    return Answer(202, (_JSON,), msgspec.json.encode({"id": delivery.name, "rows": delivery.rows}))


def _certificate(spec: WebhookSource, place: Place) -> Certificate | None:
    if spec.tls is None:
        return None
    return Certificate(Tls(place.home / spec.tls.certificate, place.home / spec.tls.key), _log.warning)
