"""From the trials of a search to the content of a model folder."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from drivetrain.core.artifacts import Estimate
from drivetrain.core.model import BlendPart, DecisionRule, Reference, TrainingSummary
from drivetrain.core.project import CapacityDecision, CostDecision, DecisionSpec, ModelSpec
from drivetrain.ops.calibration import Sigmoid
from drivetrain.ops.decisions import capacity_threshold, cost_threshold
from drivetrain.ops.drift import cut_points, distribution
from drivetrain.ops.metrics import Labels, Numbers
from drivetrain.store.models import ModelContent
from drivetrain.train.calibrate import calibrated
from drivetrain.train.choice import Choice, Judge, choose
from drivetrain.train.environment import environment
from drivetrain.train.estimates import candidate_scores, estimate
from drivetrain.train.learner import Fitted
from drivetrain.train.material import Material
from drivetrain.train.race import Trial
from drivetrain.train.signature import input_spread
from drivetrain.train.trained import Trained, check_parity

EXPECTED_ROWS = 50_000
"""For how many rows of the test part the pipeline's own answers travel with the model."""
_PARITY_ROWS = 20_000


@dataclass(frozen=True)
class Finished:
    """The content of a model folder, and the cross-validated estimate that stands for the model."""

    content: ModelContent
    estimate: Estimate

    def tracked(self, tracking: str) -> Finished:
        """The same, saying where its search was tracked."""
        return replace(self, content=replace(self.content, training=replace(self.content.training, tracking=tracking)))


def finish(spec: ModelSpec, material: Material, trials: Sequence[Trial], pool: ThreadPoolExecutor) -> Finished:
    """Choose, calibrate, decide, refit on the whole training part, export, and check the export.

    Out-of-fold scores alone decide: the labels of the test part are not even read. Raises Refused as the export does.
    """
    label = material.sample.y
    judge = Judge(label, material.plan, spec.metric)
    choice = choose(trials, judge, spec.blend_min_gain)
    sigmoid, calibration = calibrated(label, choice.margins, material.plan, spec.calibration)
    scores = sigmoid.apply(choice.margins)
    trained = _refitted(choice, sigmoid, material, spec.seed, pool)
    standing = pool.submit(estimate, spec.metric, label, scores, spec.seed)
    graph = trained.to_onnx(len(material.signature.inputs))
    every = max(1, len(material.sample) // _PARITY_ROWS)
    check_parity(trained, graph, np.vstack([material.sample.x[::every], material.test]), material.signature)
    summary = TrainingSummary(
        metric=spec.metric,
        seed=spec.seed,
        protocol=material.plan.protocol,
        candidates=candidate_scores(trials, [trial for trial, _ in choice.parts], judge, pool, spec.seed),
        blend=tuple(BlendPart(trial.entrant.name, weight) for trial, weight in choice.parts),
        why=f"{choice.why}. {_cost(trained, graph)}",
        calibration=calibration,
    )
    content = ModelContent(
        graph=graph,
        expected=trained.score(material.test[:EXPECTED_ROWS]),
        signature=material.signature,
        reference=reference_of(material, scores),
        decision=decision_of(spec.decision, np.tile(label, len(scores)), scores.ravel()),
        training=summary,
        environment=environment(),
    )
    return Finished(content, standing.result())


def _refitted(choice: Choice, sigmoid: Sigmoid, material: Material, seed: int, pool: ThreadPoolExecutor) -> Trained:
    """Each chosen trial fitted on all training rows, with as many rounds as its folds took on average."""

    def refit(part: tuple[Trial, float]) -> Fitted:
        trial = part[0]
        folds = trial.judged[-len(material.plan.folds) :]
        rounds = round(float(np.mean([judged.rounds for judged in folds])))
        learner = trial.entrant.learner
        params = learner.settled(trial.params, rounds)
        return learner.fit(material.sample, material.signature.inputs, params, seed=seed)

    fitted = pool.map(refit, choice.parts)
    return Trained(tuple((found, weight) for found, (_, weight) in zip(fitted, choice.parts, strict=True)), sigmoid)


def reference_of(material: Material, scores: Numbers) -> Reference:
    """What later traffic is held against: the spread of the training part, and of its scores [repeats, n]."""
    inputs = zip(material.signature.inputs, material.sample.x.T, strict=True)
    return Reference(
        rows=len(material.sample),
        inputs=tuple(input_spread(field, values) for field, values in inputs),
        score=distribution("score", scores[0], cut_points(scores[0])),
        label_rate=float(material.sample.y.mean()),
    )


def decision_of(spec: DecisionSpec, label: Labels, scores: Numbers) -> DecisionRule:
    """The rule that the spec asks for, its threshold found on labels [n] and scores [n]."""
    if isinstance(spec, CostDecision):
        threshold = cost_threshold(label, scores, spec.false_positive, spec.false_negative)
        return DecisionRule("cost", threshold, spec.false_positive, spec.false_negative)
    if isinstance(spec, CapacityDecision):
        return DecisionRule("capacity", capacity_threshold(scores, spec.share), capacity=spec.share)
    return DecisionRule("threshold", spec.value)


def _cost(trained: Trained, graph: bytes) -> str:
    """What serving costs, counted and not timed, so that the sentence is the same everywhere."""
    sizes = [fitted.size for fitted, _ in trained.parts]
    whole = trained.size
    trees = f" in {whole.trees:,} trees" if whole.trees else ""
    share = f", {whole.operations / max(1, sizes[0].operations):.1f} times the first alone" if len(sizes) > 1 else ""
    return f"Serving a row takes at most {whole.operations:,} operations{trees}{share}; {len(graph) / 1e6:.2f} MB"
