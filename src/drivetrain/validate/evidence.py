"""What the gates judge by: the model, the cases and the scores, each computed once, when the first gate asks."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from drivetrain.core.artifacts import Estimate, Features, Model
from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.project import GatesSpec
from drivetrain.core.task import METRICS, Metric, Task, metric_of
from drivetrain.ops.decisions import miss_costs
from drivetrain.ops.intervals import bootstrap
from drivetrain.ops.metrics import Labels, Numbers, Truth, costs, hand_over_costs
from drivetrain.ops.packing import pack
from drivetrain.ops.saying import Said, Saying
from drivetrain.ops.text import Encoders, encoders_from
from drivetrain.ops.truth import aligned, recoded
from drivetrain.store.cases import Cases, Part, read_cases
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import check_files, read_folder
from drivetrain.store.models import ModelContent, ModelScorer, model_from, open_scorer

BATCH = 32
"""Rows a call: where ONNX Runtime on one thread is fastest, and what the server batches."""


@dataclass(frozen=True)
class Rivals:
    """The model and its champion on the same cases: ``truth`` [n], and the answers of both ([n], or [n, U] of classes).

    U are the classes that either of them knows. ``only_ours`` and ``only_theirs`` know no other than the one.
    """

    truth: Truth
    ours: Numbers
    theirs: Numbers
    only_ours: tuple[str, ...] = ()
    only_theirs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """The model under judgement, the cases it is judged on, and the model to beat.

    Whatever is of rows has one entry a row of the test part, in table order; ``packed`` is [n, F]. Whatever cannot be
    had (an unreadable graph, a column that is not there) raises for the gate that asks for it.
    """

    spec: GatesSpec
    model: Model
    features: Features
    champion: Model | None
    catalog: Catalog
    only_labelled: bool = False

    @cached_property
    def labelled(self) -> Evidence:
        """The same of those rows alone that have a label; of a blind model not all have."""
        return replace(self, only_labelled=True) if self.features.blind else self

    @property
    def home(self) -> Path:
        """The project folder, where hooks are found."""
        return self.catalog.home

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Every file of the model folder, by its path inside."""
        return read_folder(self.catalog.folder(self.model.ref))

    @cached_property
    def content(self) -> ModelContent:
        """The model folder, read."""
        return model_from(self.files, str(self.model.ref))

    @cached_property
    def encoders(self) -> Encoders:
        """The encoders of the model's free texts."""
        return encoders_from(self.content.signature.texts, self.content.texts)

    @cached_property
    def scorer(self) -> ModelScorer:
        """The model, ready to score."""
        return open_scorer(self.content)

    def close(self) -> None:
        """End the model's processes, if it has any."""
        if "scorer" in self.__dict__:
            self.scorer.close()
        if self.features.blind and "labelled" in self.__dict__:
            self.labelled.close()

    @cached_property
    def test(self) -> Cases:
        """The rows that the model has not seen."""
        return self._read("test")

    @cached_property
    def train(self) -> Cases:
        """The rows that the model learned from."""
        return self._read("train")

    def _read(self, part: Part) -> Cases:
        cases = read_cases(self.catalog, self.features, part)
        return cases.labelled() if self.only_labelled else cases

    @property
    def task(self) -> Task:
        """What the label is."""
        return self.features.task

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the model knows, none where it is no model of classes."""
        return self.content.signature.classes

    @cached_property
    def truth(self) -> Truth:
        """What came true, [n], as ``ops.metrics`` measures it: of classes their places in the model's own."""
        return self.truth_of(self.test)

    def truth_of(self, cases: Cases) -> Truth:
        """The same of other cases. Raises InvalidInput when the model answers another question."""
        if self.content.signature.task is not self.task:
            raise InvalidInput(
                "other_task",
                f"{self.model.ref} answers `{self.content.signature.task}`, and {self.features.ref} asks `{self.task}`",
                hint="train again on these features",
            )
        return recoded(cases.label, self.features.classes, self.classes)

    @cached_property
    def came_true(self) -> Labels:
        """Whether what the score promises came true, [n]: the label; of classes, that the likeliest class is right.

        Raises InvalidInput for numbers, which promise nothing of the kind.
        """
        if self.task is Task.NUMBER:
            raise InvalidInput("metric_undefined", "an estimated number is no probability that could come true")
        said = self.truth if self.task is Task.YES_NO else self.answer.argmax(axis=1) == self.truth
        return np.asarray(said, dtype=np.bool_)

    @property
    def usual(self) -> Labels:
        """Which test rows [n] are not known to be true."""
        known = np.ones(len(self.test), dtype=np.bool_) if self.test.known is None else self.test.known
        return ~(known & self.test.label.astype(np.bool_))

    @property
    def right(self) -> Labels:
        """Of classes: whether the class that is said, by the model or by a rule, is the true one, [n]."""
        return np.asarray(self.said.outputs[:, 0] == self.truth)

    def metric(self, named: Metric | None) -> Metric:
        """The metric that a gate names, or the first of the task."""
        return metric_of(named, self.features.task)

    @cached_property
    def packed(self) -> Numbers:
        """The test rows as the model takes them, [n, F]."""
        return packed_cases(self.content, self.test)

    @cached_property
    def answer(self) -> Numbers:
        """What the model answers to each test row: [n], or [n, K] of classes."""
        return score_in_batches(self.scorer, self.packed)

    @cached_property
    def saying(self) -> Saying:
        """How the model's answers are put."""
        content = self.content
        return Saying(content.signature, content.decision, content.interval, content.rules)

    @cached_property
    def said(self) -> Said:
        """What is said of each test row: score, decision and the outputs of the signature."""
        return self.saying.say(self.answer, self.packed)

    @cached_property
    def said_alone(self) -> Said:
        """What the model would say without its rules."""
        return self.saying.say_alone(self.answer)

    @property
    def score(self) -> Numbers:
        """The score of each test row, [n]: the probability, that of the likeliest class, or the estimate."""
        return self.said.score

    @property
    def decision(self) -> Labels:
        """What is decided of each test row, [n]."""
        return self.said.decision

    @cached_property
    def cost(self) -> Numbers:
        """What each decision cost, [n]; see ``cost_of``."""
        return self.cost_of(self.said)

    def cost_of(self, said: Said) -> Numbers:
        """What each decision costs, [n], by what the decision rule was made from: of yes or no a cost matrix, of
        classes what a wrong answer and a person cost. Raises InvalidInput where it was made from something else.
        """
        rule = self.content.decision
        if rule.false_positive is None or rule.false_negative is None:
            raise InvalidInput(
                "no_cost_matrix",
                f"the decision was made from a {rule.kind}, so there are no costs to measure",
                hint="set model.decision to kind `cost`, or leave gates.cost out",
            )
        if rule.kind == "hand_over":
            return hand_over_costs(
                said.outputs[:, 0] == self.truth, said.decision, rule.false_positive, rule.false_negative
            )
        return costs(self.came_true, said.decision, rule.false_positive, self.miss_costs)

    @property
    def miss_costs(self) -> Numbers:
        """What it costs to miss each test row, [n]."""
        return miss_costs(self.content.decision, self.content.signature.names, self.packed)

    @cached_property
    def metrics(self) -> dict[Metric, Estimate]:
        """The metrics of the task on the test rows, with their intervals."""
        return {metric: bootstrap(metric, self.truth, self.answer) for metric in METRICS[self.task]}

    @cached_property
    def rivals(self) -> Rivals:
        """The model and the champion on the test rows. Raises InvalidInput when the champion cannot be asked."""
        if self.champion is None:
            raise InvalidInput("no_champion", "nothing serves yet, so there is no champion")
        files = read_folder(self.catalog.folder(self.champion.ref))
        check_files(files, self.champion.files, str(self.champion.ref))
        content = model_from(files, str(self.champion.ref))
        if content.signature.task is not self.task:
            raise InvalidInput(
                "champion_other_task",
                f"the champion {self.champion.ref} answers `{content.signature.task}`, this model `{self.task}`",
                hint="give the service another name, or set gates.champion to null for this release",
            )
        with closing(open_scorer(content)) as scorer:
            answer = score_in_batches(scorer, packed_cases(content, self.test))
        return self._beside(answer, content.signature.classes)

    def _beside(self, theirs: Numbers, known: tuple[str, ...]) -> Rivals:
        union = tuple(dict.fromkeys((*self.classes, *known)))
        return Rivals(
            recoded(self.test.label, self.features.classes, union),
            aligned(self.answer, self.classes, union),
            aligned(theirs, known, union),
            tuple(name for name in self.classes if name not in known),
            tuple(name for name in known if name not in self.classes),
        )


def packed_cases(content: ModelContent, cases: Cases) -> Numbers:
    """The cases as a model takes them, [n, F]. Raises InvalidInput that names the inputs that are not there."""
    missing = [field.name for field in content.signature.asked if field.name not in cases.inputs.column_names]
    if missing:
        raise InvalidInput(
            "inputs_missing",
            f"the features no longer hold {examples(missing)}, which the model takes",
            hint="bring the columns back, or train again",
        )
    return pack(content.signature, cases.inputs, encoders_from(content.signature.texts, content.texts))


def score_in_batches(scorer: ModelScorer, rows: Numbers, size: int = BATCH) -> Numbers:
    """The answer to each packed row: [n, F] -> [n], or [n, K] of classes; as many rows a call as a server takes."""
    if len(rows) == 0:
        return np.empty(0)
    return np.concatenate([scorer.score(rows[start : start + size]) for start in range(0, len(rows), size)])
