"""How the service talks, as it travels inside a Model."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from drivetrain.core.chat import ChatSpec
from drivetrain.core.conversation import ChatPlan
from drivetrain.core.errors import InvalidInput, examples


def plan_of(spec: ChatSpec, classes: Sequence[str]) -> ChatPlan:
    """The plan of a project's section, for a model of these classes. Raises InvalidInput for an intent of no class."""
    strangers = [name for name in spec.intents if name not in classes]
    if strangers:
        raise InvalidInput(
            "intent_unknown",
            f"no message is labelled {examples(strangers)}",
            where="chat.intents",
            hint=f"classes: {examples(classes, 20)}",
        )
    return msgspec.convert(spec.model_dump(mode="json"), ChatPlan)
