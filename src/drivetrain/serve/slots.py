"""The numbers under which a worker's pulse names releases, and which of them must not be loaded again."""

from __future__ import annotations

from collections.abc import Mapping

from drivetrain.core.errors import Refused
from drivetrain.core.refs import Ref

_MOST = 255


class Slots:
    """``blamed`` maps releases that brought workers down to what happened."""

    def __init__(self, blamed: Mapping[str, str]) -> None:
        self.releases: dict[int, str] = {}
        self._blamed = blamed

    def number(self, ref: Ref) -> int:
        """The number of a release, from 1 on; the oldest is given up when all are taken."""
        name = str(ref)
        for number, known in self.releases.items():
            if known == name:
                return number
        number = len(self.releases) + 1
        if number > _MOST:
            number = next(iter(self.releases))
            del self.releases[number]
        self.releases[number] = name
        return number

    def check(self, ref: Ref) -> None:
        """Raise Refused for a release that brought workers down."""
        what = self._blamed.get(str(ref))
        if what is not None:
            raise Refused(
                "release_quarantined",
                f"{ref} is quarantined: {what}",
                where=str(ref),
                hint="`drivetrain rollback`, or deploy another release; restart the server to try this one again",
            )
