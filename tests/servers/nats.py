"""A NATS server with JetStream on a free port, which keeps its streams on disk."""

import asyncio
import os
import shutil
import socket
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from nats.aio.client import Client

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
START_SECONDS = 20


@dataclass
class Nats:
    folder: Path
    port: int
    settings: str = ""
    login: dict = field(default_factory=dict)
    process: subprocess.Popen | None = field(default=None, repr=False)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        (self.folder / "nats.conf").write_text(
            f'jetstream: {{store_dir: "{self.folder / "store"}"}}\n{self.settings}\n'
        )
        program = shutil.which("nats-server", path=PATH)
        command = [program, "-a", "127.0.0.1", "-p", str(self.port), "-c", self.folder / "nats.conf"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        waiting = threading.Event()
        for _ in range(START_SECONDS * 100):
            assert self.process.poll() is None, "nats-server does not start"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            waiting.wait(0.01)
        raise AssertionError("nats-server does not answer")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def ask(self, work):
        """What ``work(jetstream)`` gives, over a connection of its own."""

        async def asked():
            client = Client()
            await client.connect(f"nats://{self.address}", allow_reconnect=False, **self.login)
            try:
                return await work(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(asked())

    def make(self, stream, *subjects, **options):
        self.ask(lambda js: js.add_stream(name=stream, subjects=list(subjects or [stream]), **options))

    def delete(self, stream):
        self.ask(lambda js: js.delete_stream(stream))

    def send(self, subject, *contents, headers=None):
        """Publish to a subject; returns when the stream has all of it."""
        self.publish([(subject, content) for content in contents], headers)

    def publish(self, letters, headers=None):
        """Publish pairs of subject and content."""

        async def work(js):
            for subject, content in letters[:-1]:
                await js._nc.publish(subject, _bytes(content), headers=headers)
            await js.publish(letters[-1][0], _bytes(letters[-1][1]), headers=headers)

        self.ask(work)

    def state(self, stream):
        return self.ask(lambda js: js.stream_info(stream)).state


def _bytes(content):
    return content if isinstance(content, bytes) else content.encode()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def nats(folder, settings="", **login):
    """A server that answers, with more lines of its configuration."""
    if shutil.which("nats-server", path=PATH) is None:
        pytest.skip("nats-server is not installed: apt-get install nats-server")
    folder.mkdir(parents=True, exist_ok=True)
    server = Nats(folder, free_port(), settings, login)
    server.start()
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()
