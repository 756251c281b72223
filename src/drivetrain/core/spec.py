"""What every section of the project file is made of."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}; they are called like `Europe/Madrid`") from None
    return name


Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Share = Annotated[float, Field(ge=0, le=1)]
ZoneName = Annotated[str, AfterValidator(_known_zone)]


class Spec(BaseModel):
    """A section of the project file: frozen, and strict about its keys."""

    # Deferred: parsing a project builds one validator, not one for every section.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
