"""A wire to a server of this machine that can be cut: for what happens when a connection breaks."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock, Thread

_CHUNK = 1 << 16


@dataclass
class Relay:
    """Passes bytes on to ``target``. ``cut(times, after)`` breaks so many connections after so many answered bytes."""

    target: int
    listener: socket.socket
    times: int = 0
    after: int = 0
    broken: int = 0
    _lock: Lock = field(default_factory=Lock)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def cut(self, times: int, after: int) -> None:
        self.times, self.after = times, after

    def serve(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                Thread(target=self._pass_on, args=(client, server, False), daemon=True).start()
                Thread(target=self._pass_on, args=(server, client, True), daemon=True).start()

    def _pass_on(self, source: socket.socket, goal: socket.socket, answer: bool) -> None:
        passed = 0
        with suppress(OSError):
            while chunk := source.recv(_CHUNK):
                passed += len(chunk)
                if answer and self._is_cut(passed):
                    break
                goal.sendall(chunk)
        for end in (source, goal):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            if answer:
                end.close()

    def _is_cut(self, passed: int) -> bool:
        with self._lock:
            if passed < self.after or self.broken >= self.times:
                return False
            self.broken += 1
            return True


@contextmanager
def relay(target: int) -> Iterator[Relay]:
    """A relay to the port ``target`` of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))
    wire = Relay(target, listener)
    server = Thread(target=wire.serve)
    server.start()
    try:
        yield wire
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        server.join()
