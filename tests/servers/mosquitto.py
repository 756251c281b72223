"""An MQTT broker (mosquitto) on a free port, which keeps its sessions on disk."""

import json
import os
import shutil
import socket
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from paho.mqtt import publish

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
START_SECONDS = 20


@dataclass
class Mosquitto:
    folder: Path
    port: int
    options: tuple[str, ...] = ()
    login: dict[str, str] | None = None
    tls: dict[str, str] | None = None
    process: subprocess.Popen | None = field(default=None, repr=False)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        settings = [
            f"listener {self.port} 127.0.0.1", "persistence true", f"persistence_location {self.folder}/",
            "max_queued_messages 0", "user root", "log_type none", *self.options,
        ]  # fmt: skip
        if not any(option.startswith("allow_anonymous") for option in self.options):
            settings.append("allow_anonymous true")
        (self.folder / "mosquitto.conf").write_text("\n".join(settings) + "\n")
        command = [shutil.which("mosquitto", path=PATH), "-c", self.folder / "mosquitto.conf"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        waiting = threading.Event()
        for _ in range(START_SECONDS * 100):
            assert self.process.poll() is None, "mosquitto does not start"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            waiting.wait(0.01)
        raise AssertionError("mosquitto does not answer")

    def stop(self):
        """Stop it as a system does that shuts down: it writes its sessions to disk."""
        self.process.terminate()
        self.process.wait()

    def restart(self, *, forget=False):
        self.stop()
        if forget:
            (self.folder / "mosquitto.db").unlink()
        self.start()

    def send(self, *messages, retain=False, qos=1):
        """Publish pairs of topic and content (JSON, unless it is bytes or text)."""
        told = [
            {"topic": topic, "payload": _payload(content), "qos": qos, "retain": retain} for topic, content in messages
        ]
        publish.multiple(told, hostname="127.0.0.1", port=self.port, auth=self.login, tls=self.tls)


def _payload(content):
    return content if isinstance(content, bytes | str) else json.dumps(content)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def mosquitto(folder, *options, login=None, tls=None):
    """A broker that answers, with more lines of its configuration."""
    if shutil.which("mosquitto", path=PATH) is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    folder.mkdir(parents=True, exist_ok=True)
    broker = Mosquitto(folder, free_port(), options, login, tls)
    broker.start()
    try:
        yield broker
    finally:
        broker.process.kill()
        broker.process.wait()
