"""Connections to a database by its SQLAlchemy dialect; credentials are looked up anew for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import quote

import sqlalchemy as sa

from drivetrain.connect.databases.faults import explained
from drivetrain.connect.place import Place
from drivetrain.core.database import SqlDatabase
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound

T = TypeVar("T")
CONNECT_SECONDS = 10
_DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
FileMode = Literal["ro", "rw", "rwc"]
"""How a file of SQLite is opened: to read, to write, or to write even where it must be made."""


class Server:
    """Where a database is, and who logs in. ``what`` names the relation in messages."""

    def __init__(self, spec: SqlDatabase, place: Place, what: str) -> None:
        self._spec, self._place = spec, place
        try:
            self._url = sa.make_url(spec.url)
        except (sa.exc.ArgumentError, ValueError):
            raise InvalidInput(
                "sql_invalid", "this is no URL of a database", where="url", hint="postgresql://user@host:5432/database"
            ) from None
        backend = self._url.get_backend_name()
        self.family = {"postgres": "postgresql", "mariadb": "mysql"}.get(backend, backend)
        self._url = self._url.set(
            drivername=_DRIVERS.get("postgresql" if backend == "postgres" else backend, self._url.drivername)
        )
        self.where = f"{self._url.host or self._url.database} {what}"

    def logged_in(self, connect: Callable[[sa.URL], T]) -> tuple[T, str]:
        """What ``connect`` gives, and the password it was made with: a refused credential is looked up once more."""
        login = self._login()
        try:
            return self._try(connect, login), login[1]
        except Forbidden as error:
            newer = self._login()
            if error.code != "sql_login_refused" or newer == login:
                raise
        return self._try(connect, newer), newer[1]

    def connect(self, url: sa.URL, mode: FileMode) -> sa.Connection:
        """A connection through SQLAlchemy. Raises NotFound, InvalidInput and what the driver raises."""
        arguments: dict[str, object] = {}
        if self.family == "sqlite":
            url = _file(url, self._place.home, self.where, mode)
        elif self.family == "mysql":
            arguments = {"connect_timeout": CONNECT_SECONDS, "charset": "utf8mb4"}
        elif self.family == "postgresql":
            arguments = {"connect_timeout": CONNECT_SECONDS}
        try:
            return sa.create_engine(url, poolclass=sa.NullPool, connect_args=arguments).connect()
        except (sa.exc.NoSuchModuleError, ImportError) as error:
            raise InvalidInput(
                "sql_driver_missing",
                f"there is no driver for {url.drivername}: {error}",
                where=self.where,
                hint="pip install the SQLAlchemy dialect and the driver of that database",
            ) from None

    def _try(self, connect: Callable[[sa.URL], T], login: tuple[str | None, str]) -> T:
        user, password = login
        with explained(self.where, password):
            return connect(self._url.set(username=user, password=password or None))

    def _login(self) -> tuple[str | None, str]:
        get, spec = self._place.secrets.get, self._spec
        return get(spec.user) if spec.user else self._url.username, get(spec.password) if spec.password else ""


def _file(url: sa.URL, home: Path, where: str, mode: FileMode) -> sa.URL:
    path = home / (url.database or "")
    if not path.is_file() and mode != "rwc":
        raise NotFound("sql_database_unknown", "there is no such file", where=where, hint="correct the path in `url`")
    return url.set(database=f"file:{quote(str(path))}").update_query_dict({"mode": mode, "uri": "true"})
