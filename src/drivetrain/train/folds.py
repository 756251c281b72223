"""On which rows a candidate is fitted and judged. Every candidate gets the same folds, so scores compare in pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import RepeatedStratifiedKFold, train_test_split

from drivetrain.core.errors import InvalidInput
from drivetrain.core.task import Task
from drivetrain.ops.metrics import Labels, Truth
from drivetrain.ops.truth import strata
from drivetrain.train.blocks import Blocks, block_folds, block_hold_back
from drivetrain.train.learner import Rows, Sample

FOLDS = 5
FOLDS_LARGE = 3
REPEATS = 3
SMALL = 5_000
"""Below this many rows one cross-validation says too little: it is repeated."""
LARGE = 50_000
"""From this many rows on three folds say enough, and a candidate is first screened on a sample of this many:"""
SCREENED = 20_000
FEWEST = 10
"""Cases of each class without which nothing can be judged."""


@dataclass(frozen=True)
class Fold:
    """Rows to fit on, rows to judge on, and the repeat of the cross-validation it belongs to."""

    fit: Rows
    held: Rows
    repeat: int


@dataclass(frozen=True)
class Plan:
    """The folds in the order of judging; ``screen``, if any, comes first and counts for nothing but the race."""

    folds: tuple[Fold, ...]
    screen: Fold | None
    repeats: int
    protocol: str

    @property
    def held_share(self) -> float:
        """Held rows / fitted rows of a fold."""
        return 1.0 / (len(self.folds) / self.repeats - 1.0)

    @property
    def steps(self) -> tuple[Fold, ...]:
        """The screen, if any, and the folds."""
        return ((self.screen,) if self.screen else ()) + self.folds


def plan_folds(label: Truth, seed: int, task: Task = Task.YES_NO, blocks: Blocks | None = None) -> Plan:
    """Stratified folds for labels [n]: five, three times over for small sets; three and a screen for large ones.

    Strata are the classes of the label, or tenths of a number. Blocks stay together, and there are no more folds than
    blocks; a single one is none. Raises InvalidInput when there are too few cases.
    """
    _refuse_too_few(task, label)
    blocks = blocks if blocks and blocks.count > 1 else None
    repeats = REPEATS if len(label) < SMALL and not (blocks and blocks.in_order) else 1
    count = FOLDS if len(label) < LARGE else FOLDS_LARGE
    groups = strata(task, label, FEWEST)
    if blocks is not None:
        count = min(count, blocks.count)
    if blocks is None:
        splitter = RepeatedStratifiedKFold(n_splits=count, n_repeats=repeats, random_state=seed)
        parts = list(splitter.split(np.zeros((len(label), 1)), groups))
    else:
        parts = [part for repeat in range(repeats) for part in block_folds(blocks, groups, count, seed + repeat)]
    folds = tuple(Fold(fit, held, number // count) for number, (fit, held) in enumerate(parts))
    screen = _screen(folds[0], groups, seed) if len(label) >= LARGE else None
    return Plan(folds, screen, repeats, _protocol(count, repeats, len(label), seed, blocks))


def hold_back(sample: Sample, seed: int) -> tuple[Rows, Rows]:
    """Rows to fit on and rows to stop on, out of a sample: a tenth, of small sets a fifth."""
    share = 0.2 if len(sample) < SMALL else 0.1
    if sample.blocks is not None and len(np.unique(sample.blocks)) > 1:
        return block_hold_back(sample.blocks, share, seed)
    groups = strata(sample.task, sample.y, FEWEST)
    fit, stop = train_test_split(np.arange(len(sample)), test_size=share, stratify=groups, random_state=seed)
    return fit, stop


def _screen(first: Fold, groups: NDArray[np.int64], seed: int) -> Fold:
    sample, _ = train_test_split(first.fit, train_size=SCREENED, stratify=groups[first.fit], random_state=seed)
    return Fold(np.sort(sample), first.held, 0)


def _protocol(folds: int, repeats: int, rows: int, seed: int, blocks: Blocks | None) -> str:
    how = "stratified" if blocks is None else "time-blocked" if blocks.in_order else "grouped"
    times = f"repeated {repeats} times, " if repeats > 1 else ""
    first = f"screened on {SCREENED:,} rows first, " if rows >= LARGE else ""
    return (
        f"{folds}-fold {how} cross-validation of {rows:,} training rows, {times}{first}seed {seed}; "
        "a candidate clearly behind the best ends early; rows to stop on are held back inside a fold"
    )


def _refuse_too_few(task: Task, label: Truth) -> None:
    if task is Task.YES_NO:
        _refuse_few_of_a_class(label.astype(np.bool_))
        return
    enough = int((np.bincount(label.astype(np.int64)) >= FEWEST).sum()) >= 2 if task is Task.CLASSES else True
    if not enough or len(label) < 2 * FEWEST:
        needed = f"two classes of at least {FEWEST} are needed" if task is Task.CLASSES else f"{2 * FEWEST} are needed"
        raise InvalidInput(
            "too_few_cases",
            f"there are too few cases among {len(label):,} training rows to judge a model by: {needed}",
            where="features",
            hint="bring more labelled rows",
        )


def _refuse_few_of_a_class(label: Labels) -> None:
    true = int(label.sum())
    fewest = min(true, len(label) - true)
    if fewest == 0:
        only = "true" if true else "false"
        raise InvalidInput(
            "one_class",
            f"all {len(label):,} training labels are {only}; there is nothing to tell apart",
            where="features",
            hint="check the label in the spine SQL and the split",
        )
    if fewest < FEWEST:
        raise InvalidInput(
            "too_few_cases",
            f"the rarer class has {fewest} of {len(label):,} training rows; at least {FEWEST} are needed",
            where="features",
            hint="bring more labelled rows, or widen what counts as the event",
        )
