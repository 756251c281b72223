"""Sources that read the service of ``tests.servers.rest``, and what they give."""

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.contract import Contract
from drivetrain.core.sources.web import RestSource
from drivetrain.ingest.reading import Batch, open_reader

PAGINGS = {
    "all": None,
    "nested": None,
    "page": {"kind": "page"},
    "offset": {"kind": "offset", "size": 50},
    "cursor": {"kind": "cursor", "next": "meta.next"},
    "token": {"kind": "token", "header": "X-Next", "parameter": "t"},
    "link": {"kind": "link"},
    "next_url": {"kind": "next_url", "next": "next"},
    "since": {"kind": "offset"},
}
BARE = {"all", "token", "link"}


def rest_source(service, path, *, key=(), **options):
    """A source at an address of the service; it gives up at once unless told otherwise."""
    given = {
        "kind": "rest",
        "url": service.url,
        "path": path,
        "records": "" if path in BARE else "data.items" if path == "nested" else "items",
        "paging": PAGINGS[path],
        "deadline_seconds": 0,
        "contract": Contract(key=key, max_bad_share=1),
        **options,
    }
    return RestSource.model_validate(given)


def open_rest(spec, home, **secrets):
    return open_reader(spec, Place(home, home / "cache", KnownSecrets(secrets, home)))


def read(spec, home, cursor="", **secrets):
    """Rows as dicts, and the cursor at the end (empty: no position)."""
    batches, last = read_batches(spec, home, cursor, **secrets)
    return [row for batch in batches for row in batch.rows.to_pylist()], last


def read_batches(spec, home, cursor="", **secrets):
    batches, last = [], ""
    for item in open_rest(spec, home, **secrets).read(cursor):
        if isinstance(item, Batch):
            batches.append(item)
        else:
            last = item.cursor
    return batches, last


def ids(rows):
    return [int(row["id"]) for row in rows]


def some_rows(count, first=1):
    return [{"id": number, "word": f"word {number}"} for number in range(first, first + count)]
