"""Which part of the traffic a release gets: stable by entity, so that a customer always meets the same release."""

from __future__ import annotations

from zlib import crc32

from drivetrain.core.refs import Ref
from drivetrain.serve.rows import Rows

_WHOLE = 2**32


class Slice:
    """A share (0 to 1) of the entities; another release gets another part of them."""

    def __init__(self, release: Ref, share: float) -> None:
        self._salt = crc32(str(release).encode())
        self._end = share * _WHOLE

    def has(self, rows: Rows) -> bool:
        """Whether a request belongs to it: by its first row's entity, or by the row itself when it names none."""
        return crc32(rows.entities[0] or rows.packed, self._salt) < self._end
