"""Forgetting what a person wrote to a service: conversations, what was handed over, and the link to predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivetrain.core.errors import NotFound
from drivetrain.deliver.outbox import Outbox
from drivetrain.store.conversations import FILE, Conversations
from drivetrain.store.journal import detach

if TYPE_CHECKING:
    from drivetrain.engine.project import Project


@dataclass(frozen=True)
class LeftElsewhere:
    """What an outlet had delivered already: only who runs the other system can delete it there.

    ``said`` is what that system said when it took it, such as the number of a ticket.
    """

    outlet: str
    said: str


@dataclass(frozen=True)
class Forgotten:
    """How many conversations were deleted, and how many predictions lost the name they were recorded under."""

    conversations: int
    predictions: int
    elsewhere: tuple[LeftElsewhere, ...]


def forget(project: Project, who: str) -> Forgotten:
    """Delete the conversations of a person, named by a session or by what they answered when they were asked.

    Their words go for good, with what waits to be handed over. The predictions stay, without the session: they hold no
    words. Raises Forbidden, and NotFound where there is nothing of them.
    """
    project.signer("forget")
    catalog, service = project.catalog, project.spec.service_name
    journal = catalog.journal_path(service)
    sessions = _sessions(project, who)
    # The conversations go last: whoever is stopped in between finds the rest by asking again.
    predictions = detach(catalog, service, sessions or (who,))
    if not sessions and not predictions:
        raise NotFound(
            "person_unknown", "nothing is kept of this person", where=service,
            hint="name a session, or what they answered when they were asked for it, such as their e-mail address",
        )  # fmt: skip
    elsewhere = _elsewhere(project, sessions or (who,))
    if sessions:
        kept = Conversations(journal)
        try:
            for session in sessions:
                kept.forget(session)
        finally:
            kept.close()
    return Forgotten(len(sessions), predictions, elsewhere)


def _sessions(project: Project, who: str) -> tuple[str, ...]:
    journal = project.catalog.journal_path(project.spec.service_name)
    if not (journal / FILE).exists():
        return ()
    kept = Conversations(journal)
    try:
        return kept.sessions_of(who)
    finally:
        kept.close()


def _elsewhere(project: Project, sessions: tuple[str, ...]) -> tuple[LeftElsewhere, ...]:
    outlets = [name for name, outlet in project.spec.outlets.items() if outlet.of == "hand_overs"]
    return tuple(LeftElsewhere(name, said) for name in outlets for said in Outbox(project.catalog, name).told(sessions))
