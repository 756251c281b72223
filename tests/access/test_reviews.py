"""Decisions about changed sources hold only as they were signed, for what was looked at, by who may."""

from dataclasses import replace

import pytest

from drivetrain.access.keys import create_signer
from drivetrain.access.reviews import decide, verdict_on
from drivetrain.core.artifacts import Endorsement, Review
from drivetrain.core.changes import SourceChange
from drivetrain.core.errors import Forbidden, Refused
from drivetrain.core.roles import Role

REVIEW = Review("loans", "ab" * 32, "base", (SourceChange("new", "score", new="number"),), (), ())


@pytest.fixture
def alex(tmp_path):
    return create_signer(tmp_path, "alex", Role.AI_ENGINEER)


def said_by(signer):
    return Endorsement(signer.actor.name, str(signer.actor.role), signer.key_id, "2026-11-23T12:00:00")


@pytest.fixture
def accepted(alex):
    return decide(REVIEW, "mia", "accept", said_by(alex), alex)


def test_what_was_accepted_is(alex, accepted):
    assert verdict_on(accepted, {"alex": alex.actor}) == "accept"
    assert verdict_on(REVIEW, {"alex": alex.actor}) is None


def test_what_was_rejected_is_not(alex):
    assert verdict_on(decide(REVIEW, "mia", "reject", said_by(alex), alex), {"alex": alex.actor}) == "reject"


@pytest.mark.parametrize(
    "other",
    [
        {"changes": (SourceChange("new", "phone", new="text"),)},
        {"base": "another"},
        {"name": "orders"},
        {"digest": "cd" * 32},
    ],
)
def test_another_change_is_not_accepted_with_it(alex, accepted, other):
    assert verdict_on(replace(accepted, **other), {"alex": alex.actor}) is None


def test_a_note_is_no_part_of_what_is_agreed_to(alex, accepted):
    noted = replace(accepted.changes[0], note="such as 1.5")
    assert verdict_on(replace(accepted, changes=(noted,)), {"alex": alex.actor}) == "accept"


def test_a_rejection_that_is_said_to_be_an_acceptance_is_none(alex):
    rejected = decide(REVIEW, "mia", "reject", said_by(alex), alex)
    forged = replace(rejected, decision=replace(rejected.decision, verdict="accept"))
    assert verdict_on(forged, {"alex": alex.actor}) == "reject"


def test_whoever_left_or_changed_the_role_is_believed_no_longer(alex, accepted):
    assert verdict_on(accepted, {}) is None
    assert verdict_on(accepted, {"alex": replace(alex.actor, role=Role.ML_ENGINEER)}) is None


def test_who_asked_may_not_decide_and_nobody_decides_twice(alex, accepted):
    with pytest.raises(Forbidden, match="may not agree"):
        decide(REVIEW, "alex", "accept", said_by(alex), alex)
    with pytest.raises(Refused, match="alex decided it") as caught:
        decide(accepted, "mia", "reject", said_by(alex), alex)
    assert "drivetrain ingest loans" in caught.value.hint
