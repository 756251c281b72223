"""What a person writes on the model card: section ``gates.card`` of the project file."""

from __future__ import annotations

from pydantic import Field

from drivetrain.core.spec import Spec


class CardSpec(Spec):
    """What the model card says that no measurement can tell."""

    purpose: str = Field("", description="What the score is for; the project's description when not given.")
    users: str = Field("", description="Who decides with it, and who is decided about.")
    limits: tuple[str, ...] = Field((), description="What it must not be used for.")
