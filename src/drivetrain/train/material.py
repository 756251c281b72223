"""What a search learns from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from drivetrain.core.artifacts import Features
from drivetrain.core.model import Rule, Signature
from drivetrain.core.project import ModelSpec
from drivetrain.core.task import metric_of
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.packing import pack
from drivetrain.ops.text import Encoders
from drivetrain.store.cases import read_cases
from drivetrain.store.catalog import Catalog
from drivetrain.train.blocks import Blocks
from drivetrain.train.folds import Plan, plan_folds
from drivetrain.train.lanes import open_lanes
from drivetrain.train.learner import Sample
from drivetrain.train.rules import rules_of
from drivetrain.train.signature import signature_of
from drivetrain.train.texts import ReadText, TextReader


@dataclass(frozen=True)
class Material:
    """The signature, the packed training part, its folds; of the test part only the packed inputs.

    Free texts are packed as margins: those of the training part come from encoders that did not see the row's label,
    those of the test part from ``encoders``, which learned from all of the training part. ``rules`` are named by the
    signature. ``in_order``: the blocks of the sample rise with time.
    """

    signature: Signature
    sample: Sample
    plan: Plan
    test: Numbers
    encoders: Encoders = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    in_order: bool = False

    def with_rules(self, spec: ModelSpec) -> Material:
        """The same with the rules of the project, read and named. Raises InvalidInput for one that cannot be asked."""
        rules = rules_of(spec.rules, self.signature)
        return replace(self, rules=rules, signature=replace(self.signature, rules=tuple(rule.name for rule in rules)))


def read_material(features: Features, catalog: Catalog, spec: ModelSpec) -> Material:
    """Read a feature table version.

    Raises InvalidInput for labels or values that nothing can be learned from, and for rules that cannot be asked.
    """
    cases, test = (read_cases(catalog, features, part) for part in ("train", "test"))
    signature = signature_of(features, cases)
    x = pack(signature, cases.inputs)
    sample = Sample(x, cases.label, features.task, len(features.classes), cases.blocks)
    blocks = None if cases.blocks is None else Blocks(cases.blocks, in_order=features.blocks == "moments")
    plan = plan_folds(cases.label, spec.seed, features.task, blocks)
    plain = Material(signature, sample, plan, pack(signature, test.inputs), in_order=features.blocks == "moments")
    ruled = plain.with_rules(spec)
    return _with_texts(ruled, features.texts, (cases.inputs, test.inputs), catalog, spec) if features.texts else ruled


def _with_texts(
    plain: Material, texts: tuple[str, ...], inputs: tuple[pa.Table, pa.Table], catalog: Catalog, spec: ModelSpec
) -> Material:
    """The same with the margins of all texts behind the other inputs."""
    train, test = inputs
    metric = metric_of(spec.metric, plain.sample.task)
    cache = catalog.state / "cache"
    reader = TextReader(spec.texts, metric, plain.sample, plain.plan, catalog.home, cache, spec.seed)
    with open_lanes() as lanes:
        read: list[ReadText] = [reader.read(text, train.column(text).to_pylist(), lanes.pool) for text in texts]
    fields = tuple(field for one in read for field in one.fields(plain.signature))
    margins = [one.encoder.encode(test.column(one.name).to_pylist()) for one in read]
    return replace(
        plain,
        signature=replace(plain.signature, inputs=(*plain.signature.inputs, *fields)),
        sample=replace(plain.sample, x=np.hstack([plain.sample.x, *(one.margins for one in read)])),
        test=np.hstack([plain.test, *margins]),
        encoders={one.name: one.encoder for one in read},
    )
