"""What the services of a worker share with it and with each other."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from drivetrain.serve.pulse import Pulse
from drivetrain.serve.slots import Slots


@dataclass(frozen=True)
class Surroundings:
    """What stands around a service. ``workers`` is how many workers there are.

    ``environment`` says where credentials lie, by their names; ``closing`` what is to be done before the worker ends.
    """

    pulse: Pulse
    slots: Slots
    workers: int
    environment: Mapping[str, str]
    closing: ExitStack
