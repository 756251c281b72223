"""Decisions about changed sources: signed by a second person, bound to exactly the change that was looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from drivetrain.access.keys import Signer
from drivetrain.access.policy import roles_for
from drivetrain.access.signatures import REVIEW, seal, state, subjects, unseal
from drivetrain.core.artifacts import Decision, Endorsement, Review, ReviewVerdict
from drivetrain.core.digest import canonical_json
from drivetrain.core.errors import DrivetrainError, Forbidden, Refused
from drivetrain.core.lineage import ReviewPredicate
from drivetrain.core.roles import Actor


def decide(review: Review, asked_by: str, verdict: ReviewVerdict, said: Endorsement, signer: Signer) -> Review:
    """The review with the signed decision of ``signer``.

    Raises Refused when it was decided before, Forbidden for the person whose load asked for it.
    """
    if review.decision is not None:
        before = review.decision
        raise Refused(
            "review_decided",
            f"{before.said.actor} decided it at {before.said.at}: {before.verdict}",
            where=str(review.ref),
            hint=f"load again (`drivetrain ingest {review.name}`): a change that comes again is asked again",
        )
    if signer.actor.name == asked_by:
        raise Forbidden(
            "own_review",
            f"{asked_by} loads this source and may not agree to its change too",
            where=str(review.ref),
            hint="it takes two people: ask another one with that role",
        )
    predicate = ReviewPredicate(said, review.ref, verdict)
    envelope = seal(state(REVIEW, _content(review), predicate), signer).decode()
    return replace(review, decision=Decision(verdict, said, envelope))


def verdict_on(review: Review, actors: Mapping[str, Actor]) -> ReviewVerdict | None:
    """What somebody who may, by ``actors`` as they are now, signed about this very change; None: nobody did."""
    if review.decision is None:
        return None
    try:
        statement, actor = unseal(review.decision.envelope.encode(), REVIEW, str(review.ref), actors)
    except DrivetrainError:
        return None
    said = statement.predicate
    is_meant = statement.subject == subjects(_content(review)) and said.review == review.ref
    return said.verdict if is_meant and actor.role in roles_for("review") else None


def _content(review: Review) -> dict[str, bytes]:
    return {"change.json": canonical_json([review.name, review.base, [change.facts for change in review.changes]])}
