"""How this product finds and logs in to a database: what sources that read it and outlets that write share."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from drivetrain.core.credentials import SecretRef
from drivetrain.core.spec import Spec

_WITH_PASSWORD = re.compile(r"^[^:/?#]+://[^/@?#]*:[^/@?#]*@|[?&](password|passwd|pwd)=", re.IGNORECASE)


def check_url(url: str) -> str:
    """The address of a database. Raises ValueError when it is none, or holds a password."""
    if _WITH_PASSWORD.search(url):
        raise ValueError("a password does not belong into `url`; write `password: {env: NAME}` beside it")
    if "://" not in url:
        raise ValueError("a database is `postgresql://user@host/name`, `mysql://...` or `sqlite:///path`")
    return url


DatabaseUrl = Annotated[str, AfterValidator(check_url)]


class SqlDatabase(Spec):
    """A database: PostgreSQL, MySQL, MariaDB, SQLite; others by their SQLAlchemy dialect."""

    url: DatabaseUrl = Field(
        description="`postgresql://user@host/database`, `mysql://...`, `sqlite:///data/app.db`; no password."
    )
    user: SecretRef | None = Field(None, description="The user, where `url` does not name one.")
    password: SecretRef | None = None
    timeout_seconds: Annotated[float, Field(gt=0)] = Field(3600, description="The longest that one statement may take.")
