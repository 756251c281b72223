"""A MariaDB server of one test session, on a free port of this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event
from time import monotonic

import pymysql
import pytest

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
_OPTIONS = (
    *("--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin"),
    *("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M"),
    *("--innodb-flush-method=nosync", "--sync-frm=OFF"),
)
_USERS = """\
CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'open sesame';
GRANT ALL ON *.* TO reader@'127.0.0.1' WITH GRANT OPTION;
CREATE USER open@'127.0.0.1';
GRANT ALL ON *.* TO open@'127.0.0.1';
"""


@dataclass
class Mariadb:
    """The server. ``reader`` with the password ``open sesame``, and ``open`` with none, may do everything."""

    folder: Path
    port: int
    _numbers: Iterator[int] = field(default_factory=count)
    _process: subprocess.Popen[bytes] | None = None
    _first: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._first = (f"--init-file={self.folder / 'users.sql'}",)

    def url(self, database: str, user: str = "reader") -> str:
        return f"mysql://{user}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str | None = None) -> pymysql.Connection:
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="reader", password="open sesame", database=database, autocommit=True
        )

    def database(self) -> str:
        """A new, empty database."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def execute(self, *statements: str, database: str | None = None) -> None:
        with self.connect(database) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def create(self) -> None:
        (self.folder / "users.sql").write_text(_USERS)
        self._run("mariadb-install-db", "--auth-root-authentication-method=normal", "--skip-test-db").wait()

    def start(self) -> None:
        paths = [f"--{name}={self.folder / name}" for name in ("socket", "pid-file")]
        self._process = self._run("mariadbd", f"--port={self.port}", *paths, *_OPTIONS, *self._first)
        self._first = ()
        over = monotonic() + 60
        while monotonic() < over and self._process.poll() is None:
            with suppress(pymysql.err.OperationalError):
                self.connect().close()
                return
            Event().wait(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def _run(self, program: str, *options: str) -> subprocess.Popen[bytes]:
        as_root = ["--user=root"] if os.geteuid() == 0 else []
        command = [_program(program), "--no-defaults", f"--datadir={self.folder / 'data'}", *as_root, *options]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def mariadb() -> Iterator[Mariadb]:
    """A running server with no data of anybody's; gone afterwards."""
    _program("mariadbd")
    folder = Path(tempfile.mkdtemp(prefix="drivetrain-mariadb-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = Mariadb(folder, free.getsockname()[1])
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.skip("MariaDB is not installed: apt-get install mariadb-server")
    return found
