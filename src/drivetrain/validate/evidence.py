"""What the gates judge by: the model, the cases and the scores, each computed once, when the first gate asks."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.artifacts import Estimate, Features, Model
from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.project import GatesSpec
from drivetrain.core.task import Metric, metric_of
from drivetrain.ops.intervals import bootstrap
from drivetrain.ops.metrics import costs
from drivetrain.ops.packing import pack
from drivetrain.ops.saying import decided
from drivetrain.ops.text import Encoders, encoders_from
from drivetrain.store.cases import Cases, read_cases
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import check_files, read_folder
from drivetrain.store.models import ModelContent, ModelScorer, model_from, open_scorer

BATCH = 32
"""Rows a call: where ONNX Runtime on one thread is fastest, and what the server batches."""
METRICS: tuple[Metric, ...] = ("roc_auc", "average_precision", "log_loss")


@dataclass(frozen=True)
class Evidence:
    """The model under judgement, the cases it is judged on, and the model to beat.

    ``label``, ``score`` and ``decision`` have one entry a row of the test part, in table order; ``packed`` is [n, F].
    Whatever cannot be had (an unreadable graph, a column that is not there) raises for the gate that asks for it.
    """

    spec: GatesSpec
    model: Model
    features: Features
    champion: Model | None
    catalog: Catalog

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

    @cached_property
    def test(self) -> Cases:
        """The rows that the model has not seen."""
        return read_cases(self.catalog, self.features, "test")

    @cached_property
    def train(self) -> Cases:
        """The rows that the model learned from."""
        return read_cases(self.catalog, self.features, "train")

    @property
    def label(self) -> NDArray[np.bool_]:
        """What came true, [n]."""
        return self.test.label.astype(np.bool_)

    def metric(self, named: Metric | None) -> Metric:
        """The metric that a gate names, or the first of the task."""
        return metric_of(named, self.features.task)

    @cached_property
    def packed(self) -> NDArray[np.float64]:
        """The test rows as the model takes them, [n, F]."""
        return packed_cases(self.content, self.test)

    @cached_property
    def score(self) -> NDArray[np.float64]:
        """The model's probability for each test row, [n]."""
        return score_in_batches(self.scorer, self.packed)

    @cached_property
    def decision(self) -> NDArray[np.bool_]:
        """What the model's decision rule makes of each score, [n]."""
        return decided(self.content.decision, self.score)

    @cached_property
    def cost(self) -> NDArray[np.float64]:
        """What each decision cost, [n], under the cost matrix of the decision rule. Raises InvalidInput without one."""
        rule = self.content.decision
        if rule.false_positive is None or rule.false_negative is None:
            raise InvalidInput(
                "no_cost_matrix",
                f"the decision was made from a {rule.kind}, so there are no costs to measure",
                hint="set model.decision to kind `cost`, or leave gates.cost out",
            )
        return costs(self.label, self.decision, rule.false_positive, rule.false_negative)

    @cached_property
    def metrics(self) -> dict[Metric, Estimate]:
        """The three headline metrics on the test rows, with their intervals."""
        return {metric: bootstrap(metric, self.label, self.score) for metric in METRICS}

    @cached_property
    def champion_score(self) -> NDArray[np.float64]:
        """The champion's probability for the same rows, [n]. Raises InvalidInput when it cannot be asked."""
        if self.champion is None:
            raise InvalidInput("no_champion", "nothing serves yet, so there is no champion")
        files = read_folder(self.catalog.folder(self.champion.ref))
        check_files(files, self.champion.files, str(self.champion.ref))
        content = model_from(files, str(self.champion.ref))
        with closing(open_scorer(content)) as scorer:
            return score_in_batches(scorer, packed_cases(content, self.test))


def packed_cases(content: ModelContent, cases: Cases) -> NDArray[np.float64]:
    """The cases as a model takes them, [n, F]. Raises InvalidInput that names the inputs that are not there."""
    missing = [field.name for field in content.signature.asked if field.name not in cases.inputs.column_names]
    if missing:
        raise InvalidInput(
            "inputs_missing",
            f"the features no longer hold {examples(missing)}, which the model takes",
            hint="bring the columns back, or train again",
        )
    return pack(content.signature, cases.inputs, encoders_from(content.signature.texts, content.texts))


def score_in_batches(scorer: ModelScorer, rows: NDArray[np.float64], size: int = BATCH) -> NDArray[np.float64]:
    """The probability for each packed row: [n, F] -> [n], as many rows a call as a server would take."""
    if len(rows) == 0:
        return np.empty(0)
    return np.concatenate([scorer.score(rows[start : start + size]) for start in range(0, len(rows), size)])
