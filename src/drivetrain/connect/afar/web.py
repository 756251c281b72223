"""Single files on web servers."""

from __future__ import annotations

import http.client
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, SSLError

from drivetrain.connect.afar.address import Address
from drivetrain.connect.afar.store import FarFile, Replaced, Unavailable, credential, forbidden, missing, unusable
from drivetrain.core.credentials import Secrets
from drivetrain.core.errors import DrivetrainError
from drivetrain.core.sources.storage import Storage

_PIECE = 1024 * 1024
_REDIRECTS = urllib3.Retry(total=5, connect=0, read=0, status=0, other=0, redirect=5, respect_retry_after_header=False)


class WebServer:
    """A Store of which only keys are known: nothing lists what a web server holds."""

    def __init__(self, address: Address, storage: Storage, secrets: Secrets) -> None:
        self._base = address.base
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=10, read=30), retries=_REDIRECTS)
        self._headers = {"Accept-Encoding": "identity", **_login(storage, secrets, address.base)}

    def look(self, key: str) -> FarFile | None:
        """The head of the file; of servers that do not know HEAD, the head of a whole answer."""
        answer = self._send("HEAD", key)
        if answer.status in (405, 501):
            answer = self._send("GET", key)
        answer.close()
        if answer.status in (404, 410):
            return None
        self._check(answer, key)
        return self._file(key, answer)

    def walk(self, folder: str, depth: int | None) -> Iterator[FarFile]:
        """Nothing."""
        return iter(())

    def fetch(self, file: FarFile, start: int) -> Iterator[bytes]:
        """From ``start`` where the server knows ranges, else from the beginning, which is passed over."""
        answer = self._send("GET", file.key, {"Range": f"bytes={start}-"} if start else {})
        try:
            if answer.status in (404, 410, 416):
                raise Replaced
            self._check(answer, file.key)
            now = self._file(file.key, answer)
            if (now.version, now.mtime_ns) != (file.version, file.mtime_ns):
                raise Replaced
            if not ("Content-Length" in answer.headers or "chunked" in answer.headers.get("Transfer-Encoding", "")):
                raise unusable(file.name, "the server does not tell where the file ends", "fetch it in another way")
            yield from self._pieces(answer, 0 if answer.status == 206 else start, file.name)
        finally:
            answer.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.clear()

    def _pieces(self, answer: urllib3.BaseHTTPResponse, passed_over: int, where: str) -> Iterator[bytes]:
        try:
            for piece in answer.stream(_PIECE, decode_content=False):
                rest = piece[passed_over:]
                passed_over -= len(piece) - len(rest)
                yield rest
        except (HTTPError, http.client.HTTPException, OSError) as error:
            raise Unavailable(where, f"it broke off ({type(error).__name__})") from None

    def _send(self, method: str, key: str, headers: dict[str, str] | None = None) -> urllib3.BaseHTTPResponse:
        where = self._where(key)
        try:
            return self._pool.request(
                method, self._base + key, headers={**self._headers, **(headers or {})}, preload_content=False
            )
        except MaxRetryError as error:
            if isinstance(error.reason, SSLError):
                raise unusable(
                    where, "its certificate is not trusted", "let its owner renew it; check the host"
                ) from None
            raise Unavailable(where, type(error.reason).__name__) from None
        except HTTPError as error:
            raise Unavailable(where, type(error).__name__) from None

    def _check(self, answer: urllib3.BaseHTTPResponse, key: str) -> None:
        if answer.status not in (200, 206):
            raise _meaning(answer, self._where(key))

    def _file(self, key: str, answer: urllib3.BaseHTTPResponse) -> FarFile:
        size = answer.headers.get("Content-Length", "0") if answer.status == 200 else "0"
        return FarFile(
            name=self._where(key),
            key=key,
            size=int(size) if size.isdigit() else 0,
            mtime_ns=_time(answer.headers.get("Last-Modified")),
            version=answer.headers.get("ETag", ""),
        )

    def _where(self, key: str) -> str:
        return self._base + key.partition("?")[0]  # a query may hold a signature


def _login(storage: Storage, secrets: Secrets, where: str) -> dict[str, str]:
    if storage.token is not None:
        return {"Authorization": f"Bearer {credential(secrets, storage.token, where)}"}
    if storage.password is not None:
        both = f"{storage.user or ''}:{secrets.get(storage.password)}"
        return {"Authorization": f"Basic {b64encode(both.encode()).decode()}"}
    return {}


def _meaning(answer: urllib3.BaseHTTPResponse, where: str) -> DrivetrainError:
    status = answer.status
    if status in (401, 403, 407):
        return forbidden(where, str(status))
    if status in (408, 425, 429) or status >= 500:
        return Unavailable(where, str(status), _seconds(answer.headers.get("Retry-After")))
    if status in (404, 410):
        return missing(where, "file")
    return unusable(where, f"the server answers {status}", "correct `path`")


def _seconds(after: str | None) -> float | None:
    """What Retry-After says, in either of its forms (RFC 9110, 10.2.3); none when that is no wait at all."""
    if after is None or after.isdigit():
        return float(after or 0) or None
    wait = _time(after) / 1e9 - datetime.now(UTC).timestamp()
    return wait if wait > 0 else None


def _time(date: str | None) -> int:
    try:
        return int(parsedate_to_datetime(date or "").timestamp()) * 1_000_000_000
    except ValueError:
        return 0
