"""Parcels, and outlets that are opened as `deliver` opens them."""

from contextlib import closing

import pyarrow as pa

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.deliver.outlet import Parcel, open_outlet


def parcel(*rows, first=1):
    """Rows as dicts; the key of each is its ``id``, or k1, k2, ..."""
    keys = tuple(str(row.get("id", f"k{first + number}")) for number, row in enumerate(rows))
    return Parcel(pa.Table.from_pylist(list(rows)), keys, tuple(range(first, first + len(rows))))


def words(*numbers):
    return parcel(*({"id": f"k{number}", "word": f"w{number}", "score": number / 8} for number in numbers))


def opened(spec, home, **secrets):
    """The outlet, to be closed by a ``with``."""
    return closing(open_outlet(spec, Place(home, home / "cache", KnownSecrets(secrets, home))))
