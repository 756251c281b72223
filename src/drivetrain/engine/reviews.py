"""Reviews of changed sources: asked for by a load that was refused, decided by a second person, carried out then.

Nothing here imports a data library: a plan in which nothing is stale asks too.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from drivetrain.access.actors import FILE as ACTORS
from drivetrain.access.actors import read_actors
from drivetrain.access.reviews import decide, verdict_on
from drivetrain.core.artifacts import Dataset, Endorsement, Review, ReviewVerdict
from drivetrain.core.changes import SourceChange
from drivetrain.core.errors import NotFound, Refused, examples
from drivetrain.core.refs import Kind
from drivetrain.engine.contract_edit import clashes, edit_contract
from drivetrain.ingest.consent import ChangeRefused
from drivetrain.store.catalog import Catalog, now
from drivetrain.store.folders import write_file

if TYPE_CHECKING:
    from drivetrain.engine.project import Project

State = Literal["waiting", "accepted", "loaded", "rejected", "outdated"]
_NEWEST = 1000  # reviews and versions that are looked at


@dataclass(frozen=True)
class ReviewState:
    """A review, who asked for it and when (UTC), and where it stands.

    ``accepted`` waits for the next load, ``loaded`` came in; ``outdated``: the source or the dataset is another by now.
    """

    review: Review
    asked_by: str
    asked_at: str
    state: State


@dataclass(frozen=True)
class Accepted:
    """An accepted review, how the project file changes for it (a unified diff), and what is left to do by hand."""

    review: Review
    edit: str
    by_hand: tuple[SourceChange, ...]


def verdicts(catalog: Catalog, source: str) -> dict[str, ReviewVerdict]:
    """What somebody who may has decided, signed and checked, by the digests of the source's reviews."""
    file = catalog.home / ACTORS
    actors = read_actors(file) if file.exists() else {}
    found = ((one.digest, verdict_on(one, actors)) for one in catalog.newest(Review, source, _NEWEST))
    return {digest: verdict for digest, verdict in found if verdict is not None}


def ask(refused: ChangeRefused, catalog: Catalog, actor: str) -> ChangeRefused:
    """Keep what there is to decide, once. Gives the refusal, with the decision where there was one already."""
    review = refused.review
    known = [one for one in catalog.newest(Review, review.name, _NEWEST) if one.ref == review.ref]
    if not known:
        catalog.put(review, actor=actor)
        return refused
    decision = known[0].decision
    if decision is None or decision.verdict != "reject":
        return refused
    reason = f": {decision.said.comment}" if decision.said.comment else ""
    said = f"{refused.message}\nrejected by {decision.said.actor} at {decision.said.at[:19]}{reason}"
    hint = "correct the source, or change the contract"
    return ChangeRefused(review, Refused(refused.code, said, where=refused.where, hint=hint))


def list_reviews(project: Project, source: str = "") -> tuple[ReviewState, ...]:
    """Every review of the project, or of one source, oldest first."""
    names = [source] if source else project.catalog.names(Kind.REVIEW)
    return tuple(one for name in names for one in _states(project.catalog, name))


def find_review(project: Project, name: str) -> ReviewState:
    """The review ``source@digest`` (its start is enough), or the newest of ``source``. Raises NotFound."""
    source, _, digest = name.removeprefix("review/").partition("@")
    found = [one for one in _states(project.catalog, source) if one.review.digest.startswith(digest)]
    open_ones = [one for one in found if one.state == "waiting"]
    if not found:
        known = examples(one.review.ref for one in list_reviews(project)) or "there is none"
        raise NotFound(
            "review_unknown", f"there is no review {name!r}", where=source, hint=f"`drivetrain contracts list`: {known}"
        )
    return (open_ones or found)[-1]


def decide_review(project: Project, name: str, verdict: ReviewVerdict, comment: str) -> Review:
    """Accept or reject a review as a second person; the next load carries exactly this change.

    Raises NotFound, Forbidden, and Refused for one that is decided or outdated.
    """
    signer = project.signer("review")
    found = find_review(project, name)
    if found.state == "outdated":
        raise Refused(
            "review_outdated",
            "the source or its dataset is not what it was when this was asked",
            where=str(found.review.ref),
            hint=f"`drivetrain ingest {found.review.name}` asks again if anything is left to decide",
        )
    said = Endorsement(signer.actor.name, str(signer.actor.role), signer.key_id, now(), comment.strip())
    decided = decide(found.review, found.asked_by, verdict, said, signer)
    project.catalog.put(decided)
    return decided


def accept_review(project: Project, name: str, comment: str, *, edit: bool = True) -> Accepted:
    """Accept a review, and with ``edit`` change the project file where its contract forbids what was accepted.

    Raises what ``decide_review`` raises.
    """
    review = decide_review(project, name, "accept", comment)
    contract = project.spec.sources[review.name].contract
    wanted = clashes(contract, review.changes)
    made = edit_contract(project.file.read_text("utf-8"), review.name, wanted, project.file.name) if wanted else None
    if made is None or not edit:
        return Accepted(review, made.diff if made else "", wanted)
    write_file(project.file, made.text.encode(), mode=stat.S_IMODE(project.file.stat().st_mode))
    return Accepted(review, made.diff, ())


def _states(catalog: Catalog, source: str) -> tuple[ReviewState, ...]:
    entries = {one.ref: one for one in catalog.list(Kind.REVIEW, source)}
    if not entries:
        return ()
    datasets = catalog.newest(Dataset, source, _NEWEST)
    loaded = {ref for dataset in datasets for ref in dataset.load.reviews}
    base = datasets[-1].digest if datasets else ""
    found = [
        ReviewState(one, entries[one.ref].actor, entries[one.ref].made_at, _state(one, base, loaded))
        for one in catalog.newest(Review, source, _NEWEST)
    ]
    older, newest = found[:-1], found[-1:]
    return (*(replace(one, state="outdated") if one.state == "waiting" else one for one in older), *newest)


def _state(review: Review, base: str, loaded: set[str]) -> State:
    if str(review.ref) in loaded:
        return "loaded"
    if review.decision is not None and review.decision.verdict == "reject":
        return "rejected"
    if review.base != base:
        return "outdated"
    return "waiting" if review.decision is None else "accepted"
