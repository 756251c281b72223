"""Sources that are logs of servers and applications."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.contract import Contract
from drivetrain.core.spec import Spec, ZoneName

LogFormat = Literal["web", "syslog", "json", "logfmt", "pattern"]


class Sessions(Spec):
    """Rows of one user without a longer gap between them are a session."""

    user: str = Field(description="The column that tells users apart.")
    time: str = Field("time", description="The column with the time.")
    gap_minutes: Annotated[float, Field(gt=0)] = 30
    column: str = Field("session", description="The column that is added, with the session's id.")


class LogsSource(Spec):
    """A log that is written on this machine, with those that were rotated away, packed or not."""

    kind: Literal["logs"]
    path: str = Field(description="The file that is written now, relative to the project file; older ones are found.")
    format: LogFormat = Field(description="`web`: common or combined; `syslog`: RFC 3164 or 5424; `json`: one a line.")
    pattern: str | None = Field(None, description="Of `pattern`: a regular expression with pieces as `%{IP:client}`.")
    starts: str | None = Field(None, description="A record of several lines begins where this expression matches.")
    time_zone: ZoneName = Field("UTC", description="Of the times of `syslog` that tell none.")
    sessions: Sessions | None = None
    contract: Contract = Contract()

    @model_validator(mode="after")
    def _pattern_fits(self) -> Self:
        if (self.format == "pattern") != (self.pattern is not None):
            raise ValueError("`pattern` and `format: pattern` belong together")
        return self
