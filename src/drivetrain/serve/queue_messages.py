"""What is asked and told of the review queue."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from drivetrain.core.review_queue import Case, Label, WholeCase
from drivetrain.core.task import Task
from drivetrain.serve.labels import ClassName
from drivetrain.serve.questions import Parameter
from drivetrain.serve.wording import Reason

QUEUE, PAGE = "/v1/queue", "/queue"
MOST_LISTED = 1000
PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        "class": Parameter("Only what the model says is of this class.", ""),
        "offset": Parameter("How many to leave out at the beginning.", 0),
        "limit": Parameter(f"How many to give at most; never more than {MOST_LISTED}.", 100),
    }
)


class QueuePage(msgspec.Struct, frozen=True):
    """Some of the ``total`` predictions that wait, oldest first.

    ``all_callers``: whether this key sees what anybody asked, not only what it asked itself.
    """

    total: int
    all_callers: bool
    waiting: list[Case]


class QueueCase(WholeCase, frozen=True, kw_only=True):
    """A prediction that waits or has its answer: what the model was given, what it thinks, and why.

    ``target`` is what is asked for, ``choices`` the classes it may be, if it is one. ``reasons`` come strongest first;
    there are none when a release answered that is no longer loaded.
    """

    target: str
    choices: list[str]
    reasons: list[Reason]


class AnswerRequest(Protocol):
    """What was true of the case, in the words of the task."""

    label: Label


class AnswerTold(msgspec.Struct, frozen=True):
    """The outcomes recorded: 1, or 0 when the same was answered before."""

    recorded: int


def _request(label: object) -> type[msgspec.Struct]:
    fields: list[Any] = [("label", label)]
    said = {"__doc__": AnswerRequest.__doc__}
    return msgspec.defstruct("QueueAnswer", fields, forbid_unknown_fields=True, namespace=said)


REQUESTS = {Task.YES_NO: _request(bool), Task.CLASSES: _request(ClassName), Task.NUMBER: _request(float)}
"""The body of an answer by the task of the release that serves."""
