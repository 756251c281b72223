"""What drivers say of a failure, as errors a person can act on. A driver's text is kept to its first line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from urllib.parse import quote

import adbc_driver_manager
import psycopg
import sqlalchemy as sa

from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, NotFound, Refused, Transient

_TRY_AGAIN = "look whether the server runs and `url` is right, then run the same command again"


class Fault(Enum):
    """What is wrong."""

    LOGIN = auto()
    DATABASE = auto()
    PERMISSION = auto()
    TIMEOUT = auto()
    WRITE = auto()
    TABLE = auto()
    PASSING = auto()
    STATEMENT = auto()


# SQLSTATEs (PostgreSQL), or their first two characters.
_STATES = {
    **dict.fromkeys(("28",), Fault.LOGIN),
    **dict.fromkeys(("3D000",), Fault.DATABASE),
    **dict.fromkeys(("42501",), Fault.PERMISSION),
    **dict.fromkeys(("57014",), Fault.TIMEOUT),
    **dict.fromkeys(("25006",), Fault.WRITE),
    **dict.fromkeys(("42P01", "3F000"), Fault.TABLE),
    **dict.fromkeys(("08", "53", "57", "40", "55", "58", "XX"), Fault.PASSING),
}
# Numbers of the errors of MySQL and MariaDB; from 2000 on they are the client's.
_NUMBERS = {
    **dict.fromkeys((1045, 1698), Fault.LOGIN),
    **dict.fromkeys((1044, 1049), Fault.DATABASE),
    **dict.fromkeys((1142, 1143, 1227, 1370), Fault.PERMISSION),
    **dict.fromkeys((1969, 3024), Fault.TIMEOUT),
    **dict.fromkeys((1792,), Fault.WRITE),
    **dict.fromkeys((1146,), Fault.TABLE),
    **dict.fromkeys((1040, 1053, 1080, 1152, 1153, 1158, 1159, 1160, 1161, 1184, 1205, 1213, 1317), Fault.PASSING),
    **dict.fromkeys((1927, 2002, 2003, 2006, 2013, 2014, 2055), Fault.PASSING),
}
# Primary result codes of SQLite: BUSY, LOCKED, IOERR; READONLY; INTERRUPT.
_SQLITE = {**dict.fromkeys((5, 6, 10), Fault.PASSING), 8: Fault.WRITE, 9: Fault.TIMEOUT}
# libpq keeps the SQLSTATE of a refused connection to itself, so its text must do. A server that does not speak
# English is taken for one that is not there yet; its own words stand in the error all the same.
_NOT_CONNECTED = (
    (
        re.compile(
            r"password authentication failed|no password supplied|no pg_hba.conf entry|is not permitted to log in|"
            r"role \S+ does not exist|authentication method"
        ),
        Fault.LOGIN,
    ),
    (re.compile(r"database \S+ does not exist"), Fault.DATABASE),
    (re.compile(r"WAL sender|walsender"), Fault.PERMISSION),
)
_NOISE = re.compile(
    r"^(\w+: )?(\[libpq\] )?(Failed to [^:]*(?:'.*')?: |Execution error \[\w+\]: )?((ERROR|FATAL): +)?", re.S
)


@contextmanager
def explained(where: str, password: str = "") -> Iterator[None]:
    """Turns errors of drivers into ours, with ``where`` and without ``password``."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise _error(*fault_of(error, password), where) from None
    except sa.exc.SQLAlchemyError as error:
        raise InvalidInput("sql_invalid", _first_line(error), where=where, hint="correct `url`") from None
    except psycopg.Error as error:
        said, passing = _first_line(error), isinstance(error, psycopg.OperationalError)
        raise _error(_fault(error, said, passing=passing), _hidden(said, password), where) from None
    except adbc_driver_manager.Error as error:
        said, passing = _first_line(error), isinstance(error, adbc_driver_manager.OperationalError)
        raise _error(_fault(error, said, passing=passing), _hidden(said, password), where) from None


def fault_of(error: sa.exc.DBAPIError, password: str = "") -> tuple[Fault, str]:
    """What is wrong, and what the driver says of it, without ``password``."""
    driver = error.orig or error
    said, passing = _first_line(driver), isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)
    return _fault(driver, said, passing=passing), _hidden(said, password)


def _fault(error: BaseException, said: str, *, passing: bool) -> Fault:
    """By the code of the error; where it has none, what the driver takes for a fault of operation may pass."""
    state, number = getattr(error, "sqlstate", None), next(iter(error.args), None)
    if isinstance(number, int):
        return _NUMBERS.get(number, Fault.STATEMENT)
    if state:
        return _STATES.get(state, _STATES.get(state[:2], Fault.STATEMENT))
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code & 0xFF, Fault.STATEMENT)
    named = next((fault for pattern, fault in _NOT_CONNECTED if pattern.search(said)), Fault.PASSING)
    return named if passing else Fault.STATEMENT


def _error(fault: Fault, said: str, where: str) -> DrivetrainError:
    match fault:
        case Fault.LOGIN:
            hint = "correct `user` in `url` and what `password` refers to, then try again"
            return Forbidden("sql_login_refused", said, where=where, hint=hint)
        case Fault.DATABASE:
            hint = "correct the database in `url`, or let the user into it"
            return NotFound("sql_database_unknown", said, where=where, hint=hint)
        case Fault.PERMISSION:
            hint = "ask the database's administrator for GRANT SELECT on the table, and in PostgreSQL USAGE ON SCHEMA"
            return Forbidden("sql_permission_denied", said, where=where, hint=hint)
        case Fault.TIMEOUT:
            hint = "make an index on `cursor`, read less, or raise `timeout_seconds`"
            return Refused("sql_timeout", said, where=where, hint=hint)
        case Fault.WRITE:
            hint = "a source is only read: make `query` a plain SELECT"
            return Refused("sql_write_refused", said, where=where, hint=hint)
        case Fault.TABLE:
            hint = "correct the name in `table` or `query`; give its schema if it is not in the default one"
            return NotFound("sql_table_unknown", said, where=where, hint=hint)
        case Fault.PASSING:
            return Transient("sql_unavailable", said, where=where, hint=_TRY_AGAIN)
        case Fault.STATEMENT:
            hint = "correct `query`, or the condition in `deleted`; a client of the database shows where it fails"
            return InvalidInput("sql_invalid", said, where=where, hint=hint)


def _first_line(error: BaseException) -> str:
    texts = [part for part in error.args if isinstance(part, str)]
    text = _NOISE.sub("", texts[-1] if texts else str(error), count=1)
    return next(iter(text.strip().splitlines()), type(error).__name__)


def _hidden(said: str, password: str) -> str:
    for secret in {password, quote(password, safe="")} - {""}:
        said = said.replace(secret, "***")
    return said
