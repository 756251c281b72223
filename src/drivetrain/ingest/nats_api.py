"""What is asked of JetStream, and what it answers: JSON, as its API documents it (only the fields that we use)."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """Why something was not done."""

    code: int
    err_code: int = 0
    description: str = ""


class Answer(msgspec.Struct, frozen=True):
    """Any answer."""

    error: Fault | None = None


class StreamState(msgspec.Struct, frozen=True):
    """What a stream holds."""

    messages: int = 0
    bytes: int = 0
    first_seq: int = 0
    last_seq: int = 0


class StreamSettings(msgspec.Struct, frozen=True):
    """How a stream was made."""

    retention: str = "limits"


class StreamInfo(Answer, frozen=True):
    """A stream."""

    created: str = ""
    config: StreamSettings = StreamSettings()
    state: StreamState = StreamState()


class ConsumerSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a consumer is made; times in nanoseconds."""

    ack_policy: str = ""
    deliver_policy: str = "all"
    durable_name: str = ""
    deliver_subject: str = ""
    opt_start_seq: int = 0
    filter_subject: str = ""
    headers_only: bool = False
    mem_storage: bool = False
    inactive_threshold: int = 0


class CreateConsumer(msgspec.Struct, frozen=True):
    """Asks for a consumer."""

    stream_name: str
    config: ConsumerSettings


class Consumer(Answer, frozen=True):
    """A consumer, and how many messages it has not delivered, or delivered without being told that they are done."""

    name: str = ""
    config: ConsumerSettings = ConsumerSettings()
    num_pending: int = 0
    num_ack_pending: int = 0


class Pull(msgspec.Struct, frozen=True):
    """Asks a consumer for its next messages, and waits for them so many nanoseconds."""

    batch: int
    expires: int


class GetMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Asks for the message of this number; with ``next_by_subj`` for the first from it on with such a subject."""

    seq: int
    next_by_subj: str = ""


class Stored(msgspec.Struct, frozen=True):
    """A message as it lies in the stream."""

    subject: str
    seq: int
    time: datetime
    data: bytes = b""
    hdrs: bytes = b""


class Found(Answer, frozen=True):
    """The message that was asked for."""

    message: Stored | None = None


def headers_of(block: bytes) -> tuple[tuple[str, str], ...]:
    """The headers of a stored message: a line with the version, then a line for each."""
    lines = block.decode(errors="replace").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if ":" in line)
    return tuple((name, value.strip()) for name, _, value in pairs)


def is_meant(subject: str, wanted: str | None) -> bool:
    """Whether a subject is one of those that a filter means: ``*`` is one token, ``>`` all that follow."""
    if wanted is None:
        return True
    tokens, filters = subject.split("."), wanted.split(".")
    if filters[-1] == ">":
        filters.pop()
        if len(tokens) <= len(filters):
            return False
        tokens = tokens[: len(filters)]
    pairs = zip(tokens, filters, strict=False)
    return len(tokens) == len(filters) and all(one in ("*", token) for token, one in pairs)
