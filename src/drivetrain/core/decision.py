"""How a project may turn scores into decisions: ``model.decision`` of the project file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.spec import Share, Spec


class CostDecision(Spec):
    """The threshold with the least expected cost."""

    kind: Literal["cost"]
    false_positive: Annotated[float, Field(gt=0)]
    false_negative: Annotated[float, Field(gt=0)]
    times: str | None = Field(
        None, description="An input, such as the amount: a miss costs `false_negative` times its value."
    )
    capacity: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="At most this share of the cases is flagged: what people can look at."
    )


class CapacityDecision(Spec):
    """The threshold that flags this share of the cases."""

    kind: Literal["capacity"]
    share: Annotated[float, Field(gt=0, lt=1)]


class ThresholdDecision(Spec):
    """A threshold that somebody decided: of a probability, or of classes for the probability of the likeliest."""

    kind: Literal["threshold"]
    value: Share


class RejectionDecision(Spec):
    """Of classes: the least sure rows, this share of them, are decided false and go to a person."""

    kind: Literal["rejection"]
    share: Annotated[float, Field(gt=0, lt=1)]


class HandOverDecision(Spec):
    """Of classes: a row is decided false, and goes to a person, where that costs less than the errors it avoids."""

    kind: Literal["hand_over"]
    wrong: Annotated[float, Field(gt=0)] = Field(description="What a wrong class costs.")
    person: Annotated[float, Field(gt=0)] = Field(description="What it costs that a person looks.")

    @model_validator(mode="after")
    def _worth_it(self) -> Self:
        if self.person >= self.wrong:
            raise ValueError("`person` costs as much as `wrong`: no row would ever go to a person")
        return self


class LimitDecision(Spec):
    """Of numbers: true at and above this value, or at and below it."""

    kind: Literal["limit"]
    value: float
    when: Literal["above", "below"] = "above"


DecisionSpec = Annotated[
    CostDecision | CapacityDecision | ThresholdDecision | RejectionDecision | HandOverDecision | LimitDecision,
    Field(discriminator="kind"),
]
