"""A RabbitMQ broker on free ports, as a user without rights, in a folder of its own; its port mapper ends with it."""

import base64
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import amqp
import pytest
from tests.servers.certificates import write_certificates

START_SECONDS = 60
NOBODY = 65534
USERS = {"ada": ".*", "bob": "^$"}
PASSWORD = "warm-sea"


@dataclass
class RabbitMq:
    folder: Path
    port: int
    tls_port: int

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @contextmanager
    def channel(self):
        """A channel of the user ada."""
        with amqp.Connection(self.address, "ada", PASSWORD, confirm_publish=True) as connection:
            yield connection.channel()

    def declare(self, queue, **options):
        with self.channel() as channel:
            channel.queue_declare(queue, durable=True, auto_delete=False, **options)

    def delete(self, queue):
        with self.channel() as channel:
            channel.queue_delete(queue)

    def send(self, queue, *contents, **properties):
        """Send contents (JSON, unless they are bytes or text) to the queue; returns when the broker has them."""
        with self.channel() as channel:
            for content in contents:
                body = content if isinstance(content, bytes | str) else json.dumps(content)
                channel.basic_publish(amqp.Message(body, delivery_mode=2, **properties), routing_key=queue)

    def waiting(self, queue):
        with self.channel() as channel:
            return channel.queue_declare(queue, passive=True).message_count


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def rabbitmq():
    """A broker that answers; ``folder/tls`` holds the files of its certificate."""
    programs = list(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    if not programs or shutil.which("epmd") is None:
        pytest.skip("rabbitmq-server is not installed: apt-get install rabbitmq-server")
    with tempfile.TemporaryDirectory(prefix="rabbitmq-") as name:  # pytest's own folders are open to one user only
        broker, mapper_port = RabbitMq(Path(name), free_port(), free_port()), free_port()
        _write_settings(broker, write_certificates(broker.folder / "tls"))
        mapper = ["epmd", "-address", "127.0.0.1", "-port", str(mapper_port)]
        with (
            _running(mapper, {}, broker.folder),
            _running([programs[-1]], _environment(broker, mapper_port), broker.folder) as process,
        ):
            _await(broker, process)
            yield broker


@contextmanager
def _running(command, environment, folder):
    """A process of a user without rights, and whatever it starts, until the end."""
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if not os.getuid() else []
    environment = {"PATH": os.environ["PATH"], **environment}
    with (folder / f"{Path(command[0]).name}.log").open("w") as log:
        process = subprocess.Popen(
            [*as_nobody, *command], env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await(broker, process):
    waiting = threading.Event()
    for _ in range(START_SECONDS * 20):
        assert process.poll() is None, (broker.folder / "rabbitmq-server.log").read_text()[-2000:]
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", broker.tls_port)) == 0:
                return
        waiting.wait(0.05)
    raise AssertionError("rabbitmq does not answer")


def _write_settings(broker, files):
    folder = broker.folder
    lines = [
        f"listeners.tcp.1 = 127.0.0.1:{broker.port}", f"listeners.ssl.1 = 127.0.0.1:{broker.tls_port}",
        f"ssl_options.cacertfile = {files.ca}", f"ssl_options.certfile = {files.certificate}",
        f"ssl_options.keyfile = {files.key}", f"load_definitions = {folder / 'definitions.json'}",
        "disk_free_limit.absolute = 1MB", "vm_memory_high_watermark.absolute = 500MB", "log.console = true",
    ]  # fmt: skip
    (folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
    (folder / "plugins").write_text("[].\n")
    users = [{"name": user, "password_hash": _hashed(PASSWORD), "tags": ""} for user in USERS]
    rights = [{"user": user, "vhost": "/", "configure": own, "write": own, "read": own} for user, own in USERS.items()]
    (folder / "definitions.json").write_text(
        json.dumps({"users": users, "vhosts": [{"name": "/"}], "permissions": rights})
    )
    if not os.getuid():
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)


def _hashed(password):
    """As RabbitMQ keeps it: salt, and SHA-256 of salt and password."""
    salt = b"salt"
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _environment(broker, mapper_port):
    folder = broker.folder
    return {
        "HOME": str(folder), "LANG": "C.UTF-8", "ERL_EPMD_PORT": str(mapper_port),
        "RABBITMQ_NODENAME": f"drivetrain{broker.port}@localhost", "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_BASE": str(folder), "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder), "RABBITMQ_LOGS": "-", "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"), "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"), "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "flags"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
    }  # fmt: skip
