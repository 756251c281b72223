"""Who may do what: actions x roles as data, each with its reason. Checked at the doors, before a stage runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivetrain.core.errors import Forbidden
from drivetrain.core.roles import Actor, Role

Action = Literal[
    "ingest",
    "review",
    "prepare",
    "train",
    "validate",
    "release",
    "override",
    "approve",
    "deploy",
    "roll_back",
    "replay",
    "score",
    "forecast",
    "answer",
    "deliver",
    "serve",
    "forget",
    "monitor",
    "read",
    "manage_actors",
    "manage_keys",
]
"""What can be done.

``review`` is to accept or reject a changed source, ``answer`` to say what was true of a case that waits for a person;
``override`` is a release in spite of a failed gate; ``deploy`` is whatever gives a release rows, trials and their
promotion too; ``manage_keys`` is about API keys.
"""


@dataclass(frozen=True)
class Rule:
    """The roles that may do it, and why it is so."""

    roles: tuple[Role, ...]
    reason: str


_ML, _AI, _AUDITOR = Role.ML_ENGINEER, Role.AI_ENGINEER, Role.AUDITOR
_PREPARES = Rule((_ML,), "data and models are the machine learning engineer's work")
_RUNS = Rule((_AI,), "the running service is the AI engineer's work")

RULES: dict[Action, Rule] = {
    "ingest": _PREPARES,
    "review": Rule((_AI,), "a second person, who runs what stands on it, must agree to a changed source"),
    "prepare": _PREPARES,
    "train": _PREPARES,
    "validate": Rule((_ML, _AI), "both engineers may ask for the proof"),
    "release": Rule((_ML,), "who made the model answers for it with a signature"),
    "override": Rule((_ML,), "who answers for the model says why a failed gate does not matter"),
    "approve": Rule((_AI,), "a second person, who runs the service, must agree to a release"),
    "deploy": _RUNS,
    "roll_back": Rule((_AI, _ML), "going back to what was approved and served before must not wait for anybody"),
    "replay": Rule((_AI, _ML), "asking what a release would have decided changes nothing"),
    "score": Rule((_AI, _ML), "an approved release answers the same in a batch as in the service"),
    "forecast": Rule((_AI, _ML), "an approved release answers the same in a forecast as in the service"),
    "answer": Rule((_AI, _ML), "an answer is a label: both engineers work with them"),
    "deliver": _RUNS,
    "serve": _RUNS,
    "forget": Rule((_AI,), "who runs the service answers for what people wrote to it"),
    "monitor": Rule((_ML, _AI), "both engineers watch the service"),
    "read": Rule((_ML, _AI, _AUDITOR), "everything is open to all who are in actors.yaml"),
    "manage_actors": Rule((_AI,), "who secures the service decides whom it trusts"),
    "manage_keys": Rule((_AI,), "who secures the service decides who may call it"),
}


def roles_for(action: Action) -> tuple[Role, ...]:
    """The roles that may do it."""
    return RULES[action].roles


def check(actor: Actor, action: Action) -> None:
    """Raise Forbidden, with the reason and who may, when the actor's role does not allow the action."""
    rule = RULES[action]
    if actor.role not in rule.roles:
        who = " or ".join(rule.roles)
        raise Forbidden(
            "role_may_not",
            f"{actor.name} ({actor.role}) may not {action.replace('_', ' ')}: {rule.reason}",
            hint=f"ask an actor with the role {who}; actors.yaml lists them",
        )
