"""A port in front of a server, which can turn callers away, break answers off, or do something in the middle of one."""

from __future__ import annotations

import select
import socket
import socketserver
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread


class Gate(socketserver.ThreadingTCPServer):
    """Passes bytes on, both ways. ``passed`` counts those of answers; ``closed`` turns so many callers away."""

    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.port, self.behind = self.server_address[1], port
        self.passed = self.closed = 0
        self.ending = False
        self._mark, self._act = 0, lambda: True

    def after(self, size: int, act: Callable[[], bool]) -> None:
        """Once so many more bytes of answers have passed, ``act``; the connection breaks off when it says False."""
        self._mark, self._act = self.passed + size, act

    def cut_after(self, size: int) -> None:
        """Break one answer off."""
        self.after(size, lambda: False)

    def lets(self, piece: bytes) -> bool:
        self.passed += len(piece)
        if not self._mark or self.passed < self._mark:
            return True
        self._mark = 0
        return self._act()


class _Passage(socketserver.BaseRequestHandler):
    server: Gate

    def handle(self) -> None:
        if self.server.closed:
            self.server.closed -= 1
            return
        with socket.create_connection(("127.0.0.1", self.server.behind)) as far:
            ends = {self.request: far, far: self.request}
            while not self.server.ending:
                for end in select.select(list(ends), [], [], 0.1)[0]:
                    try:
                        piece = end.recv(65536)
                        if not piece or (end is far and not self.server.lets(piece)):
                            return
                        ends[end].sendall(piece)
                    except OSError:
                        return


@contextmanager
def gate_to(port: int) -> Iterator[Gate]:
    """A gate on a free port before the server on ``port``."""
    with Gate(port) as gate:
        thread = Thread(target=gate.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield gate
        finally:
            gate.ending = True
            gate.shutdown()
            thread.join()
