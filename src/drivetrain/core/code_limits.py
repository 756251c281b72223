"""What a model that is Python code may take: section ``model.limits`` of the project file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from drivetrain.core.spec import Spec


class CodeLimits(Spec):
    """What a model that is Python code may take. A process that takes more is ended, and a new one started."""

    processes: Annotated[int, Field(ge=1, le=64)] = Field(1, description="Side by side, in each worker of a server.")
    seconds: Annotated[float, Field(gt=0, le=600)] = Field(2.0, description="For one call, of at most 512 rows.")
    memory_mb: Annotated[int, Field(ge=256)] | None = Field(
        None, description="Address space of one process, in MiB; no limit when not given."
    )
