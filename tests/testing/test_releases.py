from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivetrain.access.api_keys import hash_key, load_keys
from drivetrain.access.verification import verify_release
from drivetrain.core.artifacts import Deployment
from drivetrain.core.errors import Refused
from drivetrain.core.rollout import CanaryRule
from drivetrain.store.catalog import Catalog
from drivetrain.store.golden import Golden, golden_from
from drivetrain.store.models import Scorer
from drivetrain.testing.graphs import TYPICAL, flipped, logistic_model
from drivetrain.testing.releases import ReleaseMaker


@pytest.fixture
def maker(tmp_path: Path) -> ReleaseMaker:
    return ReleaseMaker(tmp_path)


def test_a_release_verifies_and_is_the_same_when_made_again(maker: ReleaseMaker):
    made = maker.release(logistic_model())
    with Catalog(maker.home) as catalog:
        assert verify_release(catalog.folder(made.ref), maker.actors, expected=made.ref).approval == made.approval
    assert ReleaseMaker(maker.home).release(logistic_model()) == made
    assert maker.release(flipped()).ref != made.ref


def test_a_release_carries_the_golden_batch_that_its_model_answers(maker: ReleaseMaker):
    good, bad = logistic_model(), flipped()
    made = maker.release(good)
    with Catalog(maker.home) as catalog:
        report = verify_release(catalog.folder(made.ref), maker.actors).part("report")
    golden = golden_from(report, "here")
    golden.check(Scorer(good.graph).score, "here")
    with pytest.raises(Refused, match="of 64 golden rows"):
        golden.check(Scorer(bad.graph).score, "here")


def test_another_golden_batch_can_be_signed(maker: ReleaseMaker):
    other = Golden(np.array([TYPICAL]), np.array([0.75]))
    made = maker.release(logistic_model(), golden=other)
    with Catalog(maker.home) as catalog:
        report = verify_release(catalog.folder(made.ref), maker.actors).part("report")
    assert golden_from(report, "here").scores.tolist() == [0.75]


def test_an_unapproved_release_does_not_verify(maker: ReleaseMaker):
    made = maker.release(logistic_model(), approved=False)
    assert made.approval is None
    with Catalog(maker.home) as catalog, pytest.raises(Refused, match="is not approved"):
        verify_release(catalog.folder(made.ref), maker.actors)


def test_deployments_follow_each_other(maker: ReleaseMaker):
    good, bad = maker.release(logistic_model()), maker.release(flipped())
    maker.deploy(good)
    trial = maker.deploy(good, bad, 0.25, shadows=[bad], canary=CanaryRule(), reason="a try")
    assert (trial.version, trial.champion, trial.challenger, trial.releases) == (
        2,
        good.ref,
        bad.ref,
        (good.ref, bad.ref),
    )
    assert [share.share for share in trial.shares] == [0.75, 0.25]
    with Catalog(maker.home) as catalog:
        assert catalog.latest(Deployment, "loans") == trial


def test_a_key_is_known(maker: ReleaseMaker):
    secret = maker.key("shop")
    with Catalog(maker.home) as catalog:
        assert hash_key(secret) in load_keys(catalog.state)
