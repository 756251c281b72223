"""What every section of the project file is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class Spec(BaseModel):
    """A section of the project file: frozen, and strict about its keys."""

    # Deferred: parsing a project builds one validator, not one for every section.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
