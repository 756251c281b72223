"""OpenSSH: a real SFTP server, for the user who runs the tests, with keys of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from tests.servers.seaweedfs import free_ports

_SSHD = Path("/usr/sbin/sshd")


class SshServer:
    """A running server. It lets ``private_key`` in, and ``closed_key`` with ``passphrase``, but not ``other_key``."""

    passphrase = "sekrit-of-the-key"

    def __init__(self, folder: Path) -> None:
        self._folder, self.files = folder, folder / "files"
        self.files.mkdir()
        (self.port,) = free_ports(1)
        self.user = getpass.getuser()
        self.private_key, _ = self._key("user")
        self.closed_key, _ = self._key("closed", self.passphrase, "ecdsa")
        self.other_key, self.other_public = self._key("other", kind="rsa")
        _, self.public = self._key("host")
        shown = _run("ssh-keygen", "-lf", str(folder / "host.pub"))
        self.fingerprint = shown.split()[1]
        (folder / "authorized").write_text("".join((folder / f"{name}.pub").read_text() for name in ("user", "closed")))
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nPidFile none\nStrictModes no\n"
            f"AuthorizedKeysFile {folder / 'authorized'}\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "UsePAM no\nPermitRootLogin yes\nMaxStartups 100\nSubsystem sftp internal-sftp\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self._folder / "log"
        with log.open("wb") as target:
            command = [str(_SSHD), "-e", "-f", str(self._folder / "sshd_config")]
            lenient = [*command, "-o", "PerSourcePenalties=no"]  # newer ones shut out who comes with a wrong key
            knows = subprocess.run([*lenient, "-t"], check=False, capture_output=True).returncode == 0
            command = [*(lenient if knows else command), "-D"]
            self._process = subprocess.Popen(command, stderr=target, stdout=target)
        for _ in range(200):
            if "Server listening" in log.read_text():
                return
            Event().wait(0.05)
        raise AssertionError(log.read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def _key(self, name: str, passphrase: str = "", kind: str = "ed25519") -> tuple[str, str]:
        path = self._folder / name
        _run("ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path))
        return path.read_text(), path.with_suffix(".pub").read_text()


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """The server, with its files in ``folder``."""
    if not _SSHD.exists() or shutil.which("ssh-keygen") is None:
        pytest.skip("sshd is not installed: apt-get install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd of root asks for it
    server = SshServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
