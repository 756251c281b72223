"""What a search learns from."""

from __future__ import annotations

from dataclasses import dataclass

from drivetrain.core.artifacts import Features
from drivetrain.core.model import Signature
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.packing import pack
from drivetrain.store.cases import read_cases
from drivetrain.store.catalog import Catalog
from drivetrain.train.blocks import Blocks
from drivetrain.train.folds import Plan, plan_folds
from drivetrain.train.learner import Sample
from drivetrain.train.signature import signature_of


@dataclass(frozen=True)
class Material:
    """The signature, the packed training part, its folds; of the test part only the packed inputs."""

    signature: Signature
    sample: Sample
    plan: Plan
    test: Numbers


def read_material(features: Features, catalog: Catalog, seed: int) -> Material:
    """Read a feature table version. Raises InvalidInput for labels or values that nothing can be learned from."""
    cases = read_cases(catalog, features, "train")
    signature = signature_of(features, cases)
    x = pack(signature, cases.inputs)
    sample = Sample(x, cases.label, features.task, len(features.classes), cases.blocks)
    blocks = None if cases.blocks is None else Blocks(cases.blocks, in_order=features.blocks == "moments")
    plan = plan_folds(cases.label, seed, features.task, blocks)
    return Material(signature, sample, plan, pack(signature, read_cases(catalog, features, "test").inputs))
