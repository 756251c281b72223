"""Names of artefacts: ``kind/name@version``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from drivetrain.core.errors import InvalidInput

_PATTERN = re.compile(r"(?P<kind>[a-z]+)/(?P<name>[A-Za-z0-9_.-]+)@(?P<version>[A-Za-z0-9]+)")


class Kind(StrEnum):
    """The kinds of artefact, in the order in which they are made."""

    REVIEW = "review"
    DATASET = "dataset"
    FEATURES = "features"
    MODEL = "model"
    REPORT = "report"
    RELEASE = "release"
    DEPLOYMENT = "deployment"
    DRIFT = "drift"


@dataclass(frozen=True, order=True)
class Ref:
    """One version of one artefact, such as ``dataset/orders@7``."""

    kind: Kind
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}@{self.version}"

    @classmethod
    def parse(cls, text: str) -> Ref:
        """Read ``kind/name@version``; raises InvalidInput when the text is not a ref."""
        match = _PATTERN.fullmatch(text)
        if match is None or match["kind"] not in list(Kind):
            raise InvalidInput(
                "ref_invalid",
                f"{text!r} is not a reference",
                hint=f"write kind/name@version, with kind one of {', '.join(Kind)}; `drivetrain ls` lists them",
            )
        return cls(Kind(match["kind"]), match["name"], match["version"])
