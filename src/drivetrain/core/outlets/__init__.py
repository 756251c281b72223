"""Where predictions go: one class for each kind of outlet, and ``OutletSpec``, which is any of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from drivetrain.core.outlets.crm import CrmOutlet
from drivetrain.core.outlets.databases import SqlOutlet
from drivetrain.core.outlets.files import FilesOutlet
from drivetrain.core.outlets.streams import KafkaOutlet
from drivetrain.core.outlets.things import MqttOutlet
from drivetrain.core.outlets.web import WebhookOutlet

OutletSpec = Annotated[
    CrmOutlet | FilesOutlet | KafkaOutlet | MqttOutlet | SqlOutlet | WebhookOutlet, Field(discriminator="kind")
]
