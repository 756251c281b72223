"""Where rows come from: one class for each kind of source, and ``SourceSpec``, which is any of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from drivetrain.core.sources.code import PythonSource
from drivetrain.core.sources.crm import CrmSource
from drivetrain.core.sources.databases import CdcSource, SqlSource
from drivetrain.core.sources.documents import DocumentsSource
from drivetrain.core.sources.files import FilesSource, WheelSource
from drivetrain.core.sources.lakes import DeltaSource, IcebergSource
from drivetrain.core.sources.logs import LogsSource
from drivetrain.core.sources.pipelines import AdfSource
from drivetrain.core.sources.pushed import WebhookSource
from drivetrain.core.sources.queues import AmqpSource, NatsSource
from drivetrain.core.sources.streams import KafkaSource
from drivetrain.core.sources.things import MqttSource
from drivetrain.core.sources.warehouses import BigQuerySource
from drivetrain.core.sources.web import RestSource

SourceSpec = Annotated[
    AdfSource
    | AmqpSource
    | BigQuerySource
    | CdcSource
    | CrmSource
    | DeltaSource
    | DocumentsSource
    | FilesSource
    | IcebergSource
    | KafkaSource
    | LogsSource
    | MqttSource
    | NatsSource
    | PythonSource
    | RestSource
    | SqlSource
    | WebhookSource
    | WheelSource,
    Field(discriminator="kind"),
]
