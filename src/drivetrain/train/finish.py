"""From the trials of a search to the content of a model folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from drivetrain.core.artifacts import Estimate
from drivetrain.core.model import BlendPart, Interval, Reference, TrainingSummary
from drivetrain.core.project import ModelSpec
from drivetrain.core.task import Task, metric_of
from drivetrain.ops.conformal import fit_interval, fit_rolling_interval
from drivetrain.ops.drift import code_cuts, cut_points, distribution, label_cuts
from drivetrain.ops.links import Link
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.saying import Said, Saying
from drivetrain.ops.text import encoder_files
from drivetrain.store.models import ModelContent
from drivetrain.train.backtest import backtest
from drivetrain.train.calibrate import calibrated
from drivetrain.train.choice import Choice, Judge, choose
from drivetrain.train.decision import decision_of
from drivetrain.train.environment import environment
from drivetrain.train.estimates import candidate_scores, estimate
from drivetrain.train.fitting import fit
from drivetrain.train.learner import Fitted, Sample
from drivetrain.train.material import Material
from drivetrain.train.race import Trial
from drivetrain.train.signature import input_spread
from drivetrain.train.trained import Trained, check_parity

Part = tuple[Trial, float]
Each = Callable[[Callable[[Part], Fitted], Iterable[Part]], Iterable[Fitted]]
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
    sample = material.sample
    metric = metric_of(spec.metric, sample.task)
    judge = Judge(sample, material.plan, metric)
    choice = choose(trials, judge, spec.blend_min_gain)
    link, calibration = calibrated(sample, choice.margins, material.plan, spec.calibration)
    answers = link.apply(choice.margins)
    trained = _refitted(choice, link, material, material.sample, spec.seed, pool.map)
    rolled = None
    if spec.origins:
        rolled = backtest(
            material, spec.origins, lambda before: _refitted(choice, link, material, before, spec.seed, map), pool
        )
    standing = pool.submit(estimate, metric, sample.y, answers, spec.seed)
    graph = trained.to_onnx(len(material.signature.inputs), sample.classes)
    every = max(1, len(material.sample) // _PARITY_ROWS)
    check_parity(trained, graph, np.vstack([material.sample.x[::every], material.test]), material.signature)
    summary = TrainingSummary(
        metric=metric,
        seed=spec.seed,
        protocol=material.plan.protocol,
        candidates=candidate_scores(trials, [trial for trial, _ in choice.parts], judge, pool, spec.seed),
        blend=tuple(BlendPart(trial.entrant.name, weight) for trial, weight in choice.parts),
        why=f"{choice.why}. {_cost(trained, graph)}",
        calibration=calibration,
    )
    rule = decision_of(spec.decision, sample, answers, material.signature.names)
    interval = interval_of(sample, answers, rolled, spec.coverage)
    saying = Saying(material.signature, rule, interval, material.rules)
    content = ModelContent(
        graph=graph,
        expected=trained.answer(material.test[:EXPECTED_ROWS]),
        signature=material.signature,
        reference=reference_of(material, saying.say(answers[0], sample.x)),
        decision=rule,
        training=summary,
        environment=environment(),
        interval=interval,
        backtest=rolled,
        texts=encoder_files(material.encoders),
        rules=material.rules,
    )
    return Finished(content, standing.result())


def interval_of(sample: Sample, answers: Numbers, rolled: Numbers | None, coverage: float) -> Interval | None:
    """Of a number: the interval by the errors at earlier origins, or of all out-of-fold answers [repeats, n]."""
    if sample.task is not Task.NUMBER:
        return None
    if rolled is not None and sample.blocks is not None:
        rows = rolled[:, 0].astype(np.intp)
        return fit_rolling_interval(sample.y[rows].astype(np.float64), rolled[:, 1], sample.blocks[rows], coverage)
    return fit_interval(np.tile(sample.y.astype(np.float64), len(answers)), answers.ravel(), coverage)


def _refitted(choice: Choice, link: Link, material: Material, sample: Sample, seed: int, each: Each) -> Trained:
    """Each chosen trial fitted on training rows, all of them or some, with as many rounds as its folds took on average.

    ``each`` is what goes through the trials: ``map``, or that of a pool.
    """

    def refit(part: Part) -> Fitted:
        trial = part[0]
        folds = trial.judged[-len(material.plan.folds) :]
        rounds = round(float(np.mean([judged.rounds for judged in folds])))
        learner = trial.entrant.learner
        params = learner.settled(trial.params, rounds)
        return fit(learner, sample, material.signature.inputs, params, seed=seed)

    fitted = each(refit, choice.parts)
    return Trained(tuple((found, weight) for found, (_, weight) in zip(fitted, choice.parts, strict=True)), link)


def reference_of(material: Material, said: Said) -> Reference:
    """What later traffic is held against: the spread of the training part, and of what is said of it out of fold."""
    signature, sample = material.signature, material.sample
    inputs = zip(signature.inputs, sample.x.T, strict=True)
    outputs = zip(signature.outputs, said.outputs.T, strict=True)
    label = sample.y.astype(np.float64)
    return Reference(
        rows=len(sample),
        inputs=tuple(input_spread(field, values) for field, values in inputs),
        score=distribution("score", said.score, _score_cuts(said.score, sample.task)),
        label=distribution(signature.target, label, label_cuts(sample.task, sample.classes, label)),
        label_mean=float((label == 0).mean() if sample.task is Task.CLASSES else label.mean()),
        outputs=tuple(
            distribution(field.name, values, code_cuts(len(field.categories)) or cut_points(values))
            for field, values in outputs
        ),
    )


def _score_cuts(score: Numbers, task: Task) -> tuple[float, ...]:
    """Of probabilities no finer than three digits; models that are sure differ in the fourth every time."""
    return cut_points(score if task is Task.NUMBER else np.round(score, 3))


def _cost(trained: Trained, graph: bytes) -> str:
    """What serving costs, counted and not timed, so that the sentence is the same everywhere."""
    sizes = [fitted.size for fitted, _ in trained.parts]
    whole = trained.size
    trees = f" in {whole.trees:,} trees" if whole.trees else ""
    share = f", {whole.operations / max(1, sizes[0].operations):.1f} times the first alone" if len(sizes) > 1 else ""
    return f"Serving a row takes at most {whole.operations:,} operations{trees}{share}; {len(graph) / 1e6:.2f} MB"
