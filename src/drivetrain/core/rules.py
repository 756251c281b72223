"""Hard rules before and after a model: section ``model.rules`` of the project file."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from drivetrain.core.model import NO_RULE
from drivetrain.core.spec import Name, Share, Spec


def _yes_or_no(given: object) -> object:
    """YAML 1.2 reads yes and no as texts, YAML 1.1 as true and false."""
    return {"yes": True, "no": False}.get(given, given) if isinstance(given, str) else given


class RuleSpec(Spec):
    """One rule: of the rows for which ``when`` is true it decides, and not the model."""

    name: Name = Field(description="What answers, the lake and the monitor call it.")
    when: Annotated[str, Field(min_length=1, max_length=2000)] = Field(
        description="A condition in SQL over the inputs; after the model also over `score`, `decision` and, as the "
        "task has it, `class` or `low` and `high`."
    )
    decide: Annotated[bool | str, BeforeValidator(_yes_or_no)] = Field(
        description="`yes` or `no`; of classes also the name of one."
    )
    because: Annotated[str, Field(min_length=1, max_length=300)] = Field(
        description="The reason, in a sentence, for whoever is decided about."
    )


class RulesSpec(Spec):
    """The first rule that speaks of a row decides it; the score stays the model's."""

    before: tuple[RuleSpec, ...] = Field((), description="Over the inputs alone; no rule of `after` is asked then.")
    after: tuple[RuleSpec, ...] = Field((), description="Over the inputs and what the model says.")

    @property
    def every(self) -> tuple[RuleSpec, ...]:
        """All rules, in the order in which they are asked."""
        return (*self.before, *self.after)

    @model_validator(mode="after")
    def _have_names_of_their_own(self) -> Self:
        twice = [name for name, times in Counter(rule.name for rule in self.every).items() if times > 1]
        if twice:
            raise ValueError(f"two rules are named `{twice[0]}`: an answer could not say which one spoke")
        if any(rule.name == NO_RULE for rule in self.every):
            raise ValueError(f"`{NO_RULE}` is what an answer says where no rule spoke: give the rule another name")
        return self


class RulesGate(Spec):
    """No rule of the model speaks of more rows than this: it would answer, and the model would not be heard."""

    max_share: Share = 0.5
