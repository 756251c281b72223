"""A caller who sends and reads at the same time, over a plain socket, as slowly as a test wants."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from .conftest import Running

NDJSON, ARROW = "application/x-ndjson", "application/vnd.apache.arrow.stream"


class Duplex:
    """One streamed request over HTTP/1.1. ``sent`` counts the bytes of the body that the system has taken."""

    def __init__(self, server: Running, media: str = NDJSON, *, buffer: int | None = None, **headers: str) -> None:
        self.socket = socket.socket()
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        self.socket.settimeout(30)
        self.socket.connect(server.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = [
            "POST /v1/predict HTTP/1.1",
            "host: x",
            f"authorization: Bearer {server.key}",
            f"content-type: {media}",
        ]
        lines += ["transfer-encoding: chunked", *(f"{name}: {value}" for name, value in headers.items())]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self.sent = 0
        self._file = self.socket.makefile("rb")
        self._sender: threading.Thread | None = None
        self.status = 0
        self.headers: dict[str, str] = {}
        self.whole = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        if self._sender is not None:
            self._sender.join(10)
        self._file.close()
        self.socket.close()

    def send(self, *parts: bytes) -> Self:
        for part in parts:
            self.socket.sendall(b"%x\r\n%b\r\n" % (len(part), part))
            self.sent += len(part)
        return self

    def finish(self) -> Self:
        self.socket.sendall(b"0\r\n\r\n")
        return self

    def send_meanwhile(self, parts: Iterable[bytes]) -> Self:
        """Send all of it and the end, in another thread."""

        def work() -> None:
            with suppress(OSError):  # the server may have heard enough
                for part in parts:
                    self.send(part)
                self.finish()

        self._sender = threading.Thread(target=work)
        self._sender.start()
        return self

    def parts(self) -> Iterator[bytes]:
        """The body of the answer, chunk by chunk; ``whole`` says whether it came to its end."""
        if not self.status:
            self._read_head()
        if "content-length" in self.headers:
            yield self._file.read(int(self.headers["content-length"]))
            return
        while line := self._file.readline():
            size = int(line, 16)
            part = self._file.read(size)
            assert self._file.read(2) == b"\r\n"
            if not size:
                self.whole = True
                return
            yield part

    def answer(self) -> bytes:
        return b"".join(self.parts())

    def _read_head(self) -> None:
        self.status = int(self._file.readline().split()[1])
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(": ")
            self.headers[name] = value


def resident(pid: int) -> int:
    """Bytes of a process that lie in memory."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024
