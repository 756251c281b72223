"""What BigQuery says of a failure, as errors a person can act on ("Error messages" of its documentation, by reason)."""

from __future__ import annotations

import msgspec

from drivetrain.connect.web_auth import Discreet, refusal
from drivetrain.connect.web_call import Answer
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, NotFound, Refused, Transient

_PASSING = frozenset(
    {
        *("backendError", "internalError", "jobBackendError", "jobInternalError"),
        *("jobRateLimitExceeded", "rateLimitExceeded", "tableUnavailable", "timeout"),
    }
)
_QUOTA = frozenset({"quotaExceeded", "resourcesExceeded", "responseTooLarge"})
_WORDS = 400


class Said(msgspec.Struct):
    """One error."""

    message: str = ""
    reason: str = ""


class _Error(msgspec.Struct):
    message: str = ""
    errors: list[Said] = []


class _Refusal(msgspec.Struct):
    error: _Error


def of_answer(answer: Answer, known: Discreet, where: str) -> DrivetrainError:
    """The error that an answer of a status from 300 on is."""
    try:
        error = read_json(answer.body, _Refusal).error
    except msgspec.DecodeError:
        return refusal(answer, known)
    if answer.status == 401:
        return Forbidden(
            "credentials_refused",
            "BigQuery lets nobody in with these credentials",
            where=where,
            hint="renew what `service_account` or `token` refers to",
        )
    reason = error.errors[0].reason if error.errors else ""
    return of_reason(
        Said(error.message, reason or {403: "accessDenied", 404: "notFound"}.get(answer.status, "")), where
    )


def of_reason(said: Said, where: str) -> DrivetrainError:
    """The error that a job or an answer tells."""
    text, reason = " ".join(said.message.split())[:_WORDS], said.reason
    if reason in _PASSING:
        return Transient("bigquery_unavailable", text, where=where, hint="run the same command again later")
    if reason == "notFound":
        hint = "correct `project`, `table` and `location`; names are case-sensitive"
        return NotFound("bigquery_unknown", text, where=where, hint=hint)
    if reason in ("accessDenied", "billingNotEnabled", "blocked", "billingTierLimitExceeded"):
        hint = "the account needs the roles BigQuery Job User in `project` and BigQuery Data Viewer on the data"
        return Forbidden("bigquery_forbidden", text, where=where, hint=hint)
    if reason == "bytesBilledLimitExceeded":
        hint = "raise `max_gb`, or read fewer `columns` or partitions"
        return Refused("bigquery_too_dear", text, where=where, hint=hint)
    if reason in _QUOTA:
        hint = "wait for the quota to be filled again, have it raised, or read less at a time"
        return Refused("bigquery_quota", text, where=where, hint=hint)
    hint = "run it in the console of BigQuery; correct `query`, `columns` or `cursor`"
    return InvalidInput("bigquery_invalid", text, where=where, hint=hint)
