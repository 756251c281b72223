"""A path with a scheme, taken apart: where it starts and which keys it means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from drivetrain.store.files.listing import Wanted, belongs

_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Address:
    """``base`` (such as ``s3://bucket/``) and ``key`` make the path; the names of files are base and their key."""

    scheme: str
    host: str
    base: str
    key: str

    @property
    def is_one(self) -> bool:
        """Whether a file may have the very name that the path is."""
        return self.scheme in ("http", "https") or (bool(self.key) and not self.key.endswith("/"))

    @property
    def is_glob(self) -> bool:
        """Whether it may mean several files."""
        return self.scheme not in ("http", "https") and bool(_MAGIC.search(self.key))

    @property
    def folder(self) -> str:
        """The part before the first wildcard, by whole folders; everything when there is none."""
        if not self.is_glob:
            return self.key.rstrip("/")
        return "/".join(self._fixed())

    @property
    def depth(self) -> int | None:
        """How many folders deep below ``folder`` its files can lie; None: any."""
        rest = self.key.split("/")[len(self._fixed()) :]
        return len(rest) if self.is_glob and "**" not in rest else None

    def means(self, key: str, wanted: Wanted) -> bool:
        """Whether the path, a glob or a folder, means the file with this key."""
        if self.is_glob:
            return _matches(key.split("/"), self.key.split("/"))
        inside = key.removeprefix(f"{self.folder}/") if self.folder else key
        return belongs(PurePosixPath(inside), wanted)

    def _fixed(self) -> list[str]:
        parts = self.key.split("/")[:-1]
        end = next((place for place, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
        return parts[:end]


def parse_address(path: str) -> Address:
    """The address that ``path`` is. A query (of HTTP) belongs to the key."""
    parts = urlsplit(path, allow_fragments=False)
    if parts.scheme in ("http", "https"):
        key = parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
        return Address(parts.scheme, parts.netloc, f"{parts.scheme}://{parts.netloc}/", key)
    scheme, _, rest = path.partition("://")
    host, _, key = rest.partition("/")
    return Address(scheme, host, f"{scheme}://{host}/", key.lstrip("/"))


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """As ``glob`` has it: ``*`` stays inside of a folder, ``**`` is any folders, neither takes a leading dot."""
    if not pattern or not parts:
        return not pattern and not parts
    first, *rest = pattern
    if first == "**" and rest and _matches(parts, rest):
        return True
    if parts[0].startswith(".") and not first.startswith("."):
        return False
    if first == "**":
        return _matches(parts[1:], pattern) if len(parts) > 1 else not rest
    return fnmatchcase(parts[0], first) and _matches(parts[1:], rest)
