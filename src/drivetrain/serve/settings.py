"""Everything that can be set about a prediction server, in one value. ``ServiceSpec`` says what each setting is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from drivetrain.connect.http.settings import ConnectionLimits, Tls
from drivetrain.core.entity_view import EntityView
from drivetrain.core.reading import PaperReading
from drivetrain.core.review_queue import ReviewRule
from drivetrain.core.rollout import CanaryRule
from drivetrain.ops.shown import ShownRules

Durability = Literal["process", "power", "buffered"]


@dataclass(frozen=True)
class ServiceSettings:
    """How one service is served: ``name`` in the project of ``home``."""

    home: Path
    name: str
    max_nesting: int = 32
    max_rows: int = 10_000
    max_explained_rows: int = 100
    max_waiting_rows: int = 100_000
    max_waiting_requests: int = 128
    deadline_seconds: float = 1.0
    requests_per_second: float | None = None
    rows_per_day: int | None = None
    durability: Durability = "process"
    roll_seconds: float = 2.0
    shadow_load: float = 0.1
    forecasts: bool = False
    entities: EntityView | None = None
    canary: CanaryRule = field(default_factory=CanaryRule)
    recommend: ShownRules = field(default_factory=ShownRules)
    review: ReviewRule = field(default_factory=ReviewRule)
    remember_days: int = 730
    documents: PaperReading | None = None
    tagger: str = ""
    """Path of the tagger for ``documents`` in the project; its bytes are those of the release."""


@dataclass(frozen=True)
class ServerSettings:
    """One server: its address, its processes, and the services it answers for. The first one has the short paths."""

    services: tuple[ServiceSettings, ...]
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    grpc_port: int | None = None
    tls: Tls | None = None
    cors_origins: tuple[str, ...] = ()
    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    drain_seconds: float = 8.0
    hang_seconds: float = 10.0


T = TypeVar("T")


def to_json(value: object) -> str:
    """Settings, or what holds settings, as the argument of a process."""
    return msgspec.json.encode(value, enc_hook=str).decode()


def from_json(text: str, kind: type[T]) -> T:
    """What ``to_json`` made of a ``kind``. Raises msgspec.DecodeError."""
    return msgspec.json.Decoder(kind, dec_hook=_decode).decode(text)


def _decode(kind: type[object], value: object) -> object:
    assert kind is Path  # the only type here that JSON has no word for
    return Path(str(value))
