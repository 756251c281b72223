from __future__ import annotations

from typing import get_args

import pytest

from drivetrain.access.policy import RULES, Action, check, roles_for
from drivetrain.core.errors import Forbidden
from drivetrain.core.roles import Actor, Role

MIA, ADA, EVE = (Actor(name, role, "") for name, role in zip(("mia", "ada", "eve"), Role, strict=True))


def test_every_action_has_a_rule_with_a_reason():
    assert set(RULES) == set(get_args(Action))
    assert all(rule.roles and rule.reason for rule in RULES.values())


MIA_MAY = "ingest prepare train validate release override roll_back replay score forecast answer monitor read"
ADA_MAY = """review validate approve deploy roll_back replay score forecast answer deliver serve monitor read
forget manage_actors manage_keys"""


@pytest.mark.parametrize(("actor", "may"), [(MIA, MIA_MAY), (ADA, ADA_MAY), (EVE, "read")])
def test_each_role_may_do_its_own_work_and_no_more(actor: Actor, may: str):
    allowed = set(may.split())
    for action in get_args(Action):
        assert (actor.role in roles_for(action)) == (action in allowed)
        if action in allowed:
            check(actor, action)
        else:
            with pytest.raises(Forbidden):
                check(actor, action)


def test_no_role_makes_a_release_and_approves_it():
    for action in ("release", "override"):
        assert not set(roles_for(action)) & set(roles_for("approve"))


def test_a_refusal_says_why_and_who_may():
    with pytest.raises(Forbidden, match=r"mia \(ml-engineer\) may not manage keys: who secures the service") as error:
        check(MIA, "manage_keys")
    assert "ai-engineer" in error.value.hint
