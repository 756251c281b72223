"""A connection to NATS servers. The client library is asyncio; its loop runs in one thread, between calls too."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from drivetrain.connect.place import Place
from drivetrain.connect.tls import client_context, not_encrypted
from drivetrain.core.connections import NatsServers
from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, MissingExtra, Transient

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

T = TypeVar("T")
ANSWER_SECONDS = 5.0
_PARTING_SECONDS = 1.0


@dataclass(frozen=True)
class Question:
    """A message that asks for answers."""

    subject: str
    content: bytes = b""


class Connection:
    """One connection to one of the servers. Use ``close`` in the end."""

    def __init__(self, spec: NatsServers, place: Place) -> None:
        """Connect to the first server that answers. Raises Forbidden, InvalidInput, MissingExtra, NotFound, Transient.

        NotFound is a credential that is not there.
        """
        try:
            from nats.aio.client import Client
        except ImportError:
            raise MissingExtra("nats-py", "nats") from None
        self.where = f"nats {', '.join(spec.servers)}"
        login = _Login(spec, place, self.where)
        self._loop = asyncio.new_event_loop()
        self._complaint: asyncio.Future[Exception] = self._loop.create_future()
        self._client: Client = Client()
        self._thread = Thread(target=self._loop.run_forever, name="nats", daemon=True)
        self._thread.start()
        try:
            self._connect(spec, login)
        except BaseException:
            self.close()
            raise

    def ask(self, question: Question) -> bytes:
        """The answer to one question. Raises Forbidden and Transient."""
        return self._run(self._answer(question), ANSWER_SECONDS + 1)

    def collect(self, questions: Sequence[Question], count: int) -> list[Msg]:
        """Ask all questions at once; the first ``count`` answers, or those up to one that is only a status.

        The status is the last of them: it has headers and no content. Raises Forbidden and Transient.
        """
        return self._run(self._answers(questions, count), 120.0)

    def tell(self, subjects: Sequence[str], content: bytes) -> None:
        """Send the content to each subject, and wait until the servers have taken all of it."""
        self._run(self._send(subjects, content), 60.0)

    def close(self) -> None:
        """Part in peace."""
        asyncio.run_coroutine_threadsafe(self._part(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _connect(self, spec: NatsServers, login: _Login) -> None:
        for left, (host, port) in reversed(list(enumerate(reversed(spec.addresses)))):
            url = f"{'tls' if spec.tls else 'nats'}://{f'[{host}]' if ':' in host else host}:{port}"
            self._client, self._complaint = _client(encrypted=spec.tls is not None), self._loop.create_future()
            try:
                self._run(self._dial(url, login), ANSWER_SECONDS + 1)
                return
            except Transient:
                if not left:
                    raise

    async def _dial(self, url: str, login: _Login) -> None:
        await self._client.connect(
            url, error_cb=self._complain, name="drivetrain", allow_reconnect=False, connect_timeout=int(ANSWER_SECONDS),
            tls=login.context, user=login.user, password=login.password, token=login.token,
        )  # fmt: skip

    async def _part(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._client.close(), _PARTING_SECONDS)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _answer(self, question: Question) -> bytes:
        return (await self._client.request(question.subject, question.content, timeout=ANSWER_SECONDS)).data

    async def _send(self, subjects: Sequence[str], content: bytes) -> None:
        for subject in subjects:
            await self._client.publish(subject, content)
        await self._client.flush()

    async def _answers(self, questions: Sequence[Question], count: int) -> list[Msg]:
        found: list[Msg] = []
        is_done = asyncio.Event()

        async def take(answer: Msg) -> None:
            found.append(answer)
            if len(found) == count or _is_status(answer):
                is_done.set()

        inbox = self._client.new_inbox()
        listening = await self._client.subscribe(inbox, cb=take, pending_msgs_limit=-1, pending_bytes_limit=-1)
        try:
            for question in questions:
                await self._client.publish(question.subject, question.content, reply=inbox)
            while not is_done.is_set():
                heard = len(found)
                with suppress(TimeoutError):
                    await asyncio.wait_for(is_done.wait(), ANSWER_SECONDS)
                if not self._client.is_connected or (len(found) == heard and not is_done.is_set()):
                    raise TimeoutError("no answer in time")
        finally:
            if self._client.is_connected:
                await listening.unsubscribe()
        return found

    async def _complain(self, error: Exception) -> None:
        """The client library tells here why it tries again and again, or why an answer never comes."""
        if not self._complaint.done():
            self._complaint.set_result(error)

    async def _heeding(self, work: Coroutine[object, object, T]) -> T:
        """What the work gives, unless there is a complaint first."""
        working, complaint = asyncio.ensure_future(work), self._complaint

        def give_up(_: asyncio.Future[Exception]) -> None:
            working.cancel()

        complaint.add_done_callback(give_up)
        try:
            return await working
        except asyncio.CancelledError:
            if complaint.done():
                raise complaint.result() from None
            raise
        finally:
            complaint.remove_done_callback(give_up)

    def _run(self, work: Coroutine[object, object, T], seconds: float) -> T:
        from nats.errors import Error

        running = asyncio.run_coroutine_threadsafe(self._heeding(work), self._loop)
        try:
            return running.result(seconds)
        except (Error, OSError, TimeoutError) as error:
            raise self._failure(error) from None
        finally:
            running.cancel()

    def _failure(self, error: Exception) -> DrivetrainError:
        said = str(error).lower()
        if isinstance(error, ssl.SSLError) or "secure connection" in said:
            what, hint = not_encrypted(error, "servers")
            return InvalidInput("nats_setting", what, where=self.where, hint=hint)
        if "authorization" in said or "authentication" in said:
            hint = "correct `user`, or the credential that `password` or `token` names"
            return Forbidden("nats_login_refused", "the servers refuse the login", where=self.where, hint=hint)
        if "permissions violation" in said:
            hint = "allow the user to publish to $JS.API.> and $JS.ACK.>, and to subscribe to _INBOX.>"
            return Forbidden("nats_forbidden", f"the servers do not allow it: {error}", where=self.where, hint=hint)
        hint = "see whether the servers run with JetStream, and `servers` and `tls` are right; then run it again"
        what = f"the servers do not answer: {error or type(error).__name__}"
        return Transient("nats_unreachable", what, where=self.where, hint=hint)


def _client(*, encrypted: bool) -> Client:
    from nats.aio.client import Client

    class Encrypted(Client):
        """Whatever a server says of itself: the library would go on in the clear, login and all."""

        async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
            info["tls_required"] = True
            await super()._process_info(info, initial_connection)

    return Encrypted() if encrypted else Client()


def _is_status(answer: Msg) -> bool:
    return not answer.data and bool(answer.headers) and "Status" in (answer.headers or {})


class _Login:
    """Who we are; it shows nothing of it."""

    def __init__(self, spec: NatsServers, place: Place, where: str) -> None:
        self.user = spec.user
        self.password = place.secrets.get(spec.password) if spec.password else None
        self.token = place.secrets.get(spec.token) if spec.token else None
        self.context = client_context(spec.tls, place.home, "nats_setting", where) if spec.tls else None
