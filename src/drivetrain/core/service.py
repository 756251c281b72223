"""The section ``service`` of the project file: every setting of the prediction server."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.entities import EntityPages
from drivetrain.core.items import RecommendSpec
from drivetrain.core.spec import Name, Share, Spec


class TlsSpec(Spec):
    """HTTPS. A certificate that is renewed in place is taken up within seconds, without a restart."""

    certificate: str = Field(description="PEM file with the certificate and its chain.")
    key: str = Field(description="PEM file with the private key.")


class CanarySpec(Spec):
    """What a challenger may do at most, compared with the champion on the same rows, before it is rolled back."""

    false_alarm_rate: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.05, description="Chance that a challenger within every bound is rolled back, over all criteria and all time."
    )
    rows: Annotated[int, Field(ge=1)] = Field(2000, description="Judged without an alarm: then it is promoted.")
    labels: Annotated[int, Field(ge=0)] = Field(0, description="How many of them must have a known outcome.")
    max_errors: Share = Field(0.01, description="Share of rows without a score.")
    max_flipped: Share = Field(0.1, description="Share of decisions unlike the champion's.")
    max_segment_flipped: Share = Field(
        0.3,
        description="The same, in any one segment of the traffic; what the champion decides true is one, so a "
        "retrained model that disagrees on more than this share of rare alerts is rolled back.",
    )
    max_rate_change: Share = Field(0.05, description="Of the share of positive decisions, up or down.")
    max_score_shift: Share = Field(0.15, description="Mean distance of the two scores of a row, in ranks (0 to 1).")
    max_slower: Annotated[float, Field(ge=1)] = Field(3.0, description="Times the champion's time, in most turns.")
    max_loss: Share = Field(
        0.02,
        description="Increase of the loss where labels arrive: Brier score, share of wrong classes, relative error.",
    )
    max_sold_out: Share = Field(0.1, description="Of recommended lists: what the champion's catalogue calls sold out.")
    max_less_diverse: Share = Field(
        0.1, description="Of recommended lists: fewer kinds of things, a share of the items."
    )
    max_less_chosen: Share = Field(
        0.02, description="Of recommended lists: how much more of what is chosen may be the champion's."
    )


class ReviewSpec(Spec):
    """Which predictions wait for a person, and who sees them. Nothing is kept for it that is not in the lake."""

    decision: bool | None = Field(
        None,
        description="Predictions decided so wait. When not given: of classes those that the decision rule gives to a "
        "person (false), of numbers those beyond the limit (true).",
    )
    score: tuple[float, float] | None = Field(None, description="So do those whose score lies between these two.")
    looks_back_days: Annotated[float, Field(gt=0, le=3650)] = Field(30.0, description="What is older waits no more.")
    keys: tuple[str, ...] = Field(
        (), description="API keys that see and answer what anybody asked; others see what they asked themselves."
    )

    @model_validator(mode="after")
    def _is_a_band(self) -> Self:
        if self.score is not None and self.score[0] > self.score[1]:
            raise ValueError("`score` begins above its end: write the smaller number first")
        return self


class ServiceSpec(Spec):
    """The prediction service."""

    name: Name | None = Field(None, description="The project's name when not given.")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8080, description="0 takes a free one.")
    workers: Annotated[int, Field(ge=1, le=64)] = Field(1, description="Processes that share the port.")
    grpc_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        None, description="The gRPC form of the Open Inference Protocol; off when not given, 0 takes a free one."
    )
    tls: TlsSpec | None = Field(None, description="HTTPS (and gRPC over TLS) instead of plain text.")
    cors_origins: tuple[str, ...] = Field((), description="Web origins whose pages may call; none when empty.")
    max_connections: Annotated[int, Field(ge=1)] = Field(1000, description="Of one worker; more are refused with 503.")
    max_header_bytes: Annotated[int, Field(ge=1024)] = 16 * 1024
    max_body_bytes: Annotated[int, Field(ge=1024)] = 4 * 1024 * 1024
    max_nesting: Annotated[int, Field(ge=4)] = Field(32, description="Lists and objects inside each other, in a body.")
    max_rows: Annotated[int, Field(ge=1)] = Field(10_000, description="In one request; a stream may bring any number.")
    max_explained_rows: Annotated[int, Field(ge=1)] = Field(100, description="In one request with `explain`.")
    max_waiting_rows: Annotated[int, Field(ge=1)] = Field(100_000, description="Of all requests of one worker.")
    max_waiting_requests: Annotated[int, Field(ge=1)] = Field(
        128, description="That wait to be scored in one worker; more are refused, with Retry-After."
    )
    deadline_seconds: Annotated[float, Field(gt=0)] = Field(
        1.0, description="A request that would wait longer to be scored is refused at once. A caller may ask for less."
    )
    head_seconds: Annotated[float, Field(gt=0)] = Field(10.0, description="For the head of a request to arrive.")
    body_seconds: Annotated[float, Field(gt=0)] = Field(30.0, description="For the body of a request to arrive.")
    idle_seconds: Annotated[float, Field(gt=0)] = Field(75.0, description="A connection without requests is closed.")
    write_seconds: Annotated[float, Field(gt=0)] = Field(
        30.0, description="A caller who takes nothing of an answer for so long is cut."
    )
    documents: Name | None = Field(
        None, description="A source of kind `documents`: callers may send documents, which are read as it reads them."
    )
    requests_per_second: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Per API key; `drivetrain keys add --rate` sets another one for one key."
    )
    rows_per_day: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Per API key, from midnight UTC; `drivetrain keys add --rows-per-day` sets another one."
    )
    durability: Literal["process", "power", "buffered"] = Field(
        "process",
        description="What an acknowledged prediction survives: the end of any process, a power cut too (slower), or, "
        "`buffered`, neither for up to a second.",
    )
    roll_seconds: Annotated[float, Field(gt=0)] = Field(2.0, description="How often the journal moves into the lake.")
    drain_seconds: Annotated[float, Field(gt=0)] = Field(8.0, description="What was accepted may take after SIGTERM.")
    hang_seconds: Annotated[float, Field(gt=0)] = Field(10.0, description="A worker silent for so long is replaced.")
    shadow_load: Annotated[float, Field(gt=0, le=0.5)] = Field(
        0.1, description="Share of a worker's time that shadows may take; rows beyond it are left out and counted."
    )
    canary: CanarySpec = CanarySpec()
    recommend: RecommendSpec = RecommendSpec()
    review: ReviewSpec = ReviewSpec()
    entities: EntityPages | None = Field(
        None, description="Pages of entities, for whoever has a key; none when not given, `{}` is enough."
    )
