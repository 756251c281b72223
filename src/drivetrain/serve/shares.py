"""Which part of the traffic a release gets: stable by entity, so that a customer always meets the same release."""

from __future__ import annotations

from hashlib import blake2b

from drivetrain.core.refs import Ref
from drivetrain.serve.rows import Rows

_BYTES = 4
_WHOLE = 2**32  # what so many bytes can say


class Slice:
    """A share (0 to 1) of the entities; what another release gets is drawn anew.

    A keyed hash: a checksum with another start value differs by the same bits for all entities of one length, so that
    two releases would meet the same customers, or never the same.
    """

    def __init__(self, release: Ref, share: float) -> None:
        self._key = blake2b(str(release).encode(), digest_size=16).digest()
        self._end = share * _WHOLE

    def has(self, rows: Rows) -> bool:
        """Whether a request belongs to it: by whose it is, its first row's entity, or that row where none is named."""
        name = rows.whose or rows.entities[0] or rows.packed[: len(rows.packed) // len(rows.entities)]
        return int.from_bytes(blake2b(name, digest_size=_BYTES, key=self._key).digest()) < self._end
