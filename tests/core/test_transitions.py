"""Whatever steps are taken, in whatever order: one champion, shares that add up, versions that count, a reason kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.artifacts import Deployment, TrafficShare
from drivetrain.core.errors import InvalidInput
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.rollout import CanaryRule
from drivetrain.core.transitions import promoted, rolled_back, to_full, with_canary, with_shadow, without_trial

A, B, C = (Ref(Kind.RELEASE, "risk", letter * 12) for letter in "abc")
RULE = CanaryRule(rows=100)
STEP = ("axel", "2026-11-03T12:00:00.000001+00:00", "because")


def full(release=A):
    return to_full(None, "risk", "local", release, "axel", "2026-11-01T00:00:00.000000+00:00", "first")


def refused(code, step, *values):
    with pytest.raises(InvalidInput) as caught:
        step(*values)
    assert caught.value.code == code
    assert caught.value.hint
    return str(caught.value)


def test_the_first_deployment_is_version_one():
    assert full() == Deployment(
        "risk", 1, "local", (TrafficShare(A, 1.0),), "axel", "2026-11-01T00:00:00.000000+00:00", (A,), reason="first"
    )


def test_a_canary_takes_its_share_under_its_rule():
    tried = with_canary(full(), B, 0.1, RULE, *STEP)
    assert tried.shares == (TrafficShare(A, 0.9), TrafficShare(B, 0.1))
    assert (tried.version, tried.champion, tried.challenger, tried.canary) == (2, A, B, RULE)
    assert (tried.parents, tried.actor, tried.at, tried.reason) == ((A, B), *STEP)


def test_a_shadow_gets_a_copy_and_changes_no_share():
    shadowed = with_shadow(with_canary(full(), B, 0.1, RULE, *STEP), C, 1.0, *STEP)
    assert shadowed.shadows == (TrafficShare(C, 1.0),)
    assert (shadowed.challenger, shadowed.canary, shadowed.parents) == (B, RULE, (A, B, C))
    assert with_shadow(shadowed, C, 0.5, *STEP).shadows == (TrafficShare(C, 0.5),), "its share is set anew"


def test_a_shadow_that_becomes_a_canary_is_no_shadow_any_more():
    tried = with_canary(with_shadow(with_shadow(full(), B, 0.5, *STEP), C, 0.5, *STEP), B, 0.1, RULE, *STEP)
    assert (tried.challenger, tried.shadows) == (B, (TrafficShare(C, 0.5),))


@pytest.mark.parametrize("end", [promoted, without_trial])
def test_the_end_of_a_trial_leaves_one_release_alone(end):
    tried = with_shadow(with_canary(full(), B, 0.1, RULE, *STEP), C, 0.5, *STEP)
    ended = end(tried, *STEP)
    winner = B if end is promoted else A
    assert (ended.shares, ended.shadows, ended.canary) == ((TrafficShare(winner, 1.0),), (), None)
    assert (ended.version, ended.parents) == (4, (winner,))


def test_an_earlier_champion_answers_again_where_it_did():
    first = full()
    moved = to_full(first, "risk", "docker", B, *STEP)
    back = rolled_back(moved, first, *STEP)
    assert (back.version, back.target, back.shares, back.reason) == (3, "local", first.shares, "because")


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.1, float("nan"), float("inf")])
def test_a_canary_takes_a_part_of_the_traffic(share):
    assert "above 0 and below 1" in refused("share_outside", with_canary, full(), B, share, RULE, *STEP)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan"), float("inf")])
def test_a_shadow_gets_at_most_everything(share):
    assert "at most 1" in refused("share_outside", with_shadow, full(), B, share, *STEP)


def test_steps_that_make_no_sense_are_refused_with_what_to_do():
    tried = with_canary(full(), B, 0.1, RULE, *STEP)
    refused("challenger_is_champion", with_canary, full(), A, 0.1, RULE, *STEP)
    refused("challenger_is_champion", with_shadow, full(), A, 0.1, *STEP)
    assert "drivetrain promote" in refused("trial_running", with_canary, tried, C, 0.1, RULE, *STEP)
    assert "drivetrain rollback" in refused("trial_running", with_canary, tried, B, 0.2, RULE, *STEP)
    refused("already_on_trial", with_shadow, tried, B, 0.1, *STEP)
    refused("no_trial", promoted, with_shadow(full(), B, 0.1, *STEP), *STEP)
    refused("no_trial", without_trial, full(), *STEP)
    refused("already_serving", rolled_back, full(), full(), *STEP)
    other = to_full(None, "fraud", "local", A, "axel", "2026-11-01", "")
    refused("deployment_of_other_service", rolled_back, full(), other, *STEP)


def test_the_history_goes_forward_when_the_clock_goes_back():
    standing = to_full(full(), "risk", "local", B, *STEP)
    for step in (
        to_full(standing, "risk", "local", C, "axel", "2026-11-02", ""),
        with_canary(standing, C, 0.1, RULE, "axel", "2026-11-02", ""),
        rolled_back(standing, full(), "axel", "2026-11-02", ""),
    ):
        assert step.at == standing.at


releases, shares = st.sampled_from([A, B, C]), st.floats(-0.5, 1.5)
steps = st.one_of(
    st.builds(lambda release: lambda now, _: to_full(now, "risk", "local", release, *STEP), releases),
    st.builds(lambda release, share: lambda now, _: with_shadow(now, release, share, *STEP), releases, shares),
    st.builds(lambda release, share: lambda now, _: with_canary(now, release, share, RULE, *STEP), releases, shares),
    st.just(lambda now, _: promoted(now, *STEP)),
    st.just(lambda now, _: without_trial(now, *STEP)),
    st.builds(lambda pick: lambda now, past: rolled_back(now, past[pick % len(past)], *STEP), st.integers(0, 20)),
)


@given(st.lists(steps, max_size=12))
def test_any_walk_keeps_what_a_server_relies_on(walk):
    history = [full()]
    for step in walk:
        try:
            following = step(history[-1], history)
        except InvalidInput:
            continue
        assert following.version == history[-1].version + 1
        assert following.at >= history[-1].at
        assert sum(share.share for share in following.shares) == pytest.approx(1)
        assert all(0 < share.share <= 1 for share in (*following.shares, *following.shadows))
        assert (following.challenger is None) == (following.canary is None)
        assert following.parents == following.releases
        every = [share.release for share in (*following.shares, *following.shadows)]
        assert len(every) == len(set(every)), "no release has two parts"
        history.append(following)
