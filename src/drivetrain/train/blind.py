"""A model that sees no label: what is usual is learned from rows alone, and a score says how odd a row is.

Nothing tells which candidate is right, so none is chosen: each says how odd a row is in its own unit, and the mean of
what they say, in spreads, is the model (Aggarwal & Sathe 2015). How much of that is chance, ``agreement`` tells: the
share of the oddest rows that are the oddest ones again when the candidates learn from others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from sklearn.model_selection import KFold

from drivetrain.core import plugins
from drivetrain.core.artifacts import Estimate, Features
from drivetrain.core.digest import canonical_json, digest_of
from drivetrain.core.errors import InvalidInput
from drivetrain.core.events import Progress
from drivetrain.core.model import BlendPart, CandidateScore, TrainingSummary
from drivetrain.core.project import Candidate, ModelSpec
from drivetrain.ops.intervals import wilson
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.packing import pack
from drivetrain.ops.ranks import FEWEST, Rank, fit_rank
from drivetrain.ops.saying import Saying
from drivetrain.store.cases import read_unlabelled
from drivetrain.store.catalog import Catalog
from drivetrain.store.models import ModelContent
from drivetrain.store.tracking import Experiment, open_tracker
from drivetrain.train.blocks import Blocks, block_folds
from drivetrain.train.decision import decision_of
from drivetrain.train.detector import Detector
from drivetrain.train.environment import environment
from drivetrain.train.finish import EXPECTED_ROWS, Finished, reference_of
from drivetrain.train.folds import Fold, Plan
from drivetrain.train.learner import Params, Rows, Sample, check_params
from drivetrain.train.material import Material
from drivetrain.train.signature import signature_of
from drivetrain.train.trained import Trained, check_parity

METRIC = "agreement"
DEFAULTS = ("distance", "isolation_forest")
_ODDEST = 0.05
_FOLDS = (5, 4)
"""Two deals of the rows: models of the one have never learned from the same rows as those of the other."""


@dataclass(frozen=True)
class Watcher:
    """A candidate, and how odd each row is to models of it that had not seen the row, [2, n]: once for each deal."""

    name: str
    detector: Detector
    params: Params
    opinions: Numbers

    @property
    def spread(self) -> float:
        """The unit of its opinions."""
        return float(self.opinions.std()) or 1.0


def finish_blind(spec: ModelSpec, name: str, features: Features, catalog: Catalog, progress: Progress) -> Finished:
    """The mean of all candidates; no label is read.

    Raises NotFound for an unknown detector, InvalidInput for an unknown parameter or too few rows, Refused when the
    export differs.
    """
    material = _read(features, catalog).with_rules(spec)
    key = digest_of(features.digest, spec.model_dump(mode="json"))
    run = Experiment(experiment=name, run=str(features.ref), key=key, params={"seed": str(spec.seed)})
    with open_tracker(spec.tracking, catalog.state, run) as tracker:
        watchers = _watch(spec, material, progress)
        opinions = np.mean([watcher.opinions / watcher.spread for watcher in watchers], axis=0)
        standing = agreement(opinions)
        tracking = tracker.close({METRIC: standing.value})
    link = fit_rank(opinions[0])
    trained = _fitted(watchers, link, material, spec.seed)
    graph = trained.to_onnx(len(material.signature.inputs))
    check_parity(trained, graph, np.vstack([material.sample.x, material.test]), material.signature)
    scores = link.apply(opinions[:1])
    rule = decision_of(spec.decision, material.sample, scores, material.signature.names)
    saying = Saying(material.signature, rule, rules=material.rules)
    content = ModelContent(
        graph=graph,
        expected=trained.answer(material.test[:EXPECTED_ROWS]),
        signature=material.signature,
        reference=reference_of(material, saying.say(scores[0], material.sample.x)),
        decision=rule,
        training=_summary(spec, watchers, standing, material.plan.protocol),
        environment=environment(),
        rules=material.rules,
    )
    return Finished(content, standing).tracked(tracking)


def agreement(opinions: Numbers) -> Estimate:
    """Of the oddest twentieth of the rows by the one opinion, the share that is so by the other too: [2, n]."""
    oddest = max(1, round(_ODDEST * opinions.shape[1]))
    first, second = (np.argsort(-opinion, kind="stable")[:oddest] for opinion in opinions)
    return wilson(METRIC, len(np.intersect1d(first, second)), oddest)


def _read(features: Features, catalog: Catalog) -> Material:
    """What is learned from. The labels that a sample must have are all false, whatever the table holds."""
    rows, test = (read_unlabelled(catalog, features, part) for part in ("train", "test"))
    signature = signature_of(features, rows)
    x, blocks = pack(signature, rows.inputs), None
    if rows.blocks is not None and len(np.unique(rows.blocks)) > 1:
        blocks = Blocks(rows.blocks, in_order=features.blocks == "moments")
    return Material(signature, Sample(x, rows.label), _plan(len(x), blocks), pack(signature, test.inputs))


def _plan(rows: int, blocks: Blocks | None) -> Plan:
    """Both deals, each a repeat. Raises InvalidInput for fewer than 20 rows."""
    if rows < FEWEST:
        raise InvalidInput("too_few_rows", f"{rows} rows do not say what is usual", hint=f"bring at least {FEWEST}")
    folds = [Fold(fit, held, deal) for deal in range(len(_FOLDS)) for fit, held in _parts(rows, blocks, deal)]
    how = "by lot" if blocks is None else "in spans of time" if blocks.in_order else "in groups"
    protocol = (
        f"two opinions on {rows:,} training rows, out of {_FOLDS[0]} and of {_FOLDS[1]} folds {how}; no label was read"
    )
    return Plan(tuple(folds), None, len(_FOLDS), protocol)


def _parts(rows: int, blocks: Blocks | None, deal: int) -> list[tuple[Rows, Rows]]:
    if blocks is None:
        return list(KFold(_FOLDS[deal], shuffle=True, random_state=deal).split(np.zeros((rows, 1))))
    return block_folds(blocks, np.zeros(rows, dtype=np.int64), min(_FOLDS[deal], blocks.count), deal)


def _watch(spec: ModelSpec, material: Material, progress: Progress) -> list[Watcher]:
    named = spec.candidates or [Candidate(learner=name) for name in DEFAULTS]
    found = list[Watcher]()
    for one in named:
        detector = cast(type[Detector], plugins.load("detectors", one.learner))()
        check_params(detector, one.learner, one.params)
        watcher = Watcher(one.learner, detector, one.params, _opinions(detector, one.params, material, spec.seed))
        found.append(watcher)
        progress(len(found), len(named), f"{one.learner}: {agreement(watcher.opinions)}")
    return found


def _opinions(detector: Detector, params: Params, material: Material, seed: int) -> Numbers:
    found, x = np.empty((len(_FOLDS), len(material.sample))), material.sample.x
    for number, fold in enumerate(material.plan.folds):
        fitted = detector.fit(x[fold.fit], material.signature.inputs, params, seed=seed + number)
        found[fold.repeat, fold.held] = fitted.margin(x[fold.held])
    return found


def _fitted(watchers: Sequence[Watcher], link: Rank, material: Material, seed: int) -> Trained:
    """Each candidate fitted on all training rows."""
    x, fields = material.sample.x, material.signature.inputs
    weights = [1.0 / (watcher.spread * len(watchers)) for watcher in watchers]
    fitted = [watcher.detector.fit(x, fields, watcher.params, seed=seed) for watcher in watchers]
    return Trained(tuple(zip(fitted, weights, strict=True)), link)


def _summary(spec: ModelSpec, watchers: Sequence[Watcher], standing: Estimate, protocol: str) -> TrainingSummary:
    lines = [
        CandidateScore(one.name, agreement(one.opinions), canonical_json(dict(one.params)).decode(), 1, not one.params)
        for one in watchers
    ]
    return TrainingSummary(
        metric=METRIC,
        seed=spec.seed,
        protocol=protocol,
        candidates=tuple(lines),
        blend=tuple(BlendPart(one.name, 1.0 / len(watchers)) for one in watchers),
        why=f"the mean of {', '.join(one.name for one in watchers)}, in spreads, because nothing tells which is right; "
        f"{standing.value:.0%} of the oddest rows are so whatever it learns from",
        calibration="the share of training rows that look less odd to a model that had not seen them",
    )
