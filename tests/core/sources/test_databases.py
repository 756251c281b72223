"""A source of the kind `sql` as it is written: what it says, and what is refused before anything connects."""

import pytest
from pydantic import ValidationError

from drivetrain.core.sources.databases import SqlSource

URL = "postgresql://reader@db.example/shop"


def source(**options):
    return SqlSource.model_validate({"kind": "sql", "url": URL, "table": "orders", **options})


@pytest.mark.parametrize(
    ("options", "way"),
    [
        ({"cursor": "id"}, "append"),
        ({"contract": {"key": ["id"]}}, "whole"),
        ({"cursor": "id", "mode": "incremental", "contract": {"key": ["id"]}}, "incremental"),
    ],
)
def test_the_mode_follows_from_the_cursor(options, way):
    assert source(**options).way == way


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"table": None, "cursor": "id"}, "give `table` or `query`"),
        ({"query": "SELECT 1", "cursor": "id"}, "give `table` or `query`"),
        ({}, "needs `key` in the contract"),
        ({"mode": "append"}, "needs a `cursor`"),
        ({"mode": "incremental", "cursor": "id"}, "needs `key`"),
        ({"mode": "whole", "cursor": "id", "contract": {"key": ["id"]}}, "takes no `cursor`"),
        ({"cursor": "id", "look_back": 60}, "`look_back` needs"),
        ({"cursor": "id", "deleted": "gone"}, "`deleted` needs"),
        ({"columns": ["word"], "contract": {"key": ["id"]}}, "leaves a column"),
        ({"parallel": 2, "contract": {"key": ["id"]}}, "`parallel_by`"),
        ({"url": "sqlite:///x.db", "parallel": 2, "cursor": "id"}, "PostgreSQL only"),
        ({"url": "db.example", "cursor": "id"}, "a database is"),
        ({"cursor": "id", "time_zone": "Europe/Madird"}, "time zone"),
    ],
)
def test_what_does_not_fit_is_refused(options, complaint):
    with pytest.raises(ValidationError, match=complaint):
        source(**options)


@pytest.mark.parametrize("url", ["postgresql://u:pw@h/d", "mysql://:pw@h/d", "postgresql://h/d?user=u&password=pw"])
def test_a_password_in_the_url_is_refused(url):
    with pytest.raises(ValidationError, match="does not belong into `url`"):
        source(url=url, cursor="id")
