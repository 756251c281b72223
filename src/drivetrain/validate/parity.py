"""The gate of parity: what is served equals what the trained pipeline answers, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.core.artifacts import GateResult, Verdict
from drivetrain.core.errors import InvalidInput
from drivetrain.ops.leaks import levels, single_auc
from drivetrain.ops.metrics import Labels, Numbers
from drivetrain.validate.evidence import BATCH, Evidence, score_in_batches
from drivetrain.validate.gates import Finding, exact
from drivetrain.validate.replayed import differing, replay
from drivetrain.validate.rules import misjudged
from drivetrain.validate.served import ServedPath, json_array, json_rows

_ALONE = 500
"""How many rows are also asked for one at a time."""


def parity(evidence: Evidence) -> Finding:
    """The largest difference between the served path and what the trained pipeline answered (``expected.npy``).

    Of classes it is that of the probability that is furthest off; of a number beyond 1, a share of the number.
    Every row that has an expected answer goes the served path, from JSON on, in batches, and the first ones also one
    row a call. A failure names the worst row and the input that the difference comes from. The windows of a model that
    has some are computed from the events of the source, and must be what the feature table holds. Rules must speak of
    what is served as DuckDB says of what was learned from.
    """
    expected, limit = _expected(evidence), evidence.spec.parity
    served = serve(evidence, len(expected))
    apart = _apart(served.answer, expected)
    alone = _apart(served.alone, expected[: len(served.alone)])
    apart[: len(alone)] = np.maximum(apart[: len(alone)], alone)
    most = float(apart.max())
    detail = f"{len(expected):,} rows in batches of {BATCH}, {len(alone):,} of them also alone"
    if most > limit:
        detail = f"{_worst(evidence, served, apart)}; {_cause(evidence, served, apart > limit)}"
    measured = exact("largest difference", most, len(expected))
    wrong_window = differing(evidence.content.signature, served.packed, evidence.packed[: len(expected)])
    if evidence.content.signature.windows is not None:
        detail = f"{detail}; {wrong_window or 'every window, event by event, is what the SQL says'}"
    wrong_rule = misjudged(evidence, served.packed, served.answer)
    if evidence.content.rules:
        detail = f"{detail}; {wrong_rule or 'every rule, row by row, speaks as its SQL does'}"
    verdict: Verdict = "pass" if most <= limit and not wrong_window and not wrong_rule else "fail"
    return Finding((GateResult("parity", verdict, measured, f"at most {limit:g}", detail),))


@dataclass(frozen=True)
class Served:
    """What the served path makes of the test rows: packed [m, F], answers in batches [m] or [m, K], and alone [a]."""

    packed: Numbers
    answer: Numbers
    alone: Numbers


def serve(evidence: Evidence, rows: int) -> Served:
    """The first ``rows`` test rows on the served path."""
    if evidence.content.signature.windows is not None:
        packed = replay(evidence, rows)
        alone = np.concatenate([evidence.scorer.score(row[None]) for row in packed[:_ALONE]])
        return Served(packed, score_in_batches(evidence.scorer, packed), alone)
    path = ServedPath(evidence.content.signature, evidence.scorer, evidence.encoders)
    sent = json_rows(evidence.test.inputs.slice(0, rows))
    packed = np.concatenate([path.pack(json_array(sent[at : at + BATCH])) for at in range(0, rows, BATCH)])
    alone = np.concatenate([path.score(json_array([row])) for row in sent[:_ALONE]])
    return Served(packed, score_in_batches(evidence.scorer, packed), alone)


def _expected(evidence: Evidence) -> Numbers:
    """What the pipeline answered; raises InvalidInput when that does not belong to the test rows."""
    expected = evidence.content.expected
    if evidence.features.ref not in evidence.model.parents:
        raise InvalidInput(
            "other_features",
            f"{evidence.model.ref} was not trained on {evidence.features.ref}: its expected answers are of other rows",
            hint="train again on these features",
        )
    if not 0 < len(expected) <= len(evidence.test):
        raise InvalidInput(
            "expected_rows",
            f"the model holds {len(expected)} expected answers for {len(evidence.test)} test rows",
            hint="train again",
        )
    if expected.shape[1:] != evidence.answer.shape[1:]:
        raise InvalidInput(
            "expected_rows",
            f"the model answers {evidence.answer.shape}, and {expected.shape} is expected of it",
            hint="train again",
        )
    return expected


def _apart(served: Numbers, expected: Numbers) -> Numbers:
    """The distance row by row, [m]; infinite where an answer is not a number."""
    return np.asarray(_gaps(served, expected).reshape(len(served), -1).max(axis=1))


def _gaps(served: Numbers, expected: Numbers) -> Numbers:
    far = np.abs(served - expected) / np.maximum(1.0, np.abs(expected))
    return np.asarray(np.nan_to_num(far, nan=np.inf, posinf=np.inf))


def _worst(evidence: Evidence, served: Served, apart: Numbers) -> str:
    row = int(apart.argmax())
    entity, answer, ours = evidence.test.entity[row], evidence.content.expected[row], served.answer[row]
    of = ""
    if answer.ndim:
        place = int(_gaps(ours, answer).argmax())
        of, answer, ours = f" of {evidence.classes[place]}", answer[place], ours[place]
    return f"worst in {evidence.features.entity} {entity}{of}: served {ours:.9g}, trained {answer:.9g}"


def _cause(evidence: Evidence, served: Served, wrong: Labels) -> str:
    """The input that the served path packs differently; if there is none, the one that tells the wrong rows best."""
    names, packed = evidence.content.signature.names, evidence.packed[: len(wrong)]
    differs = ~((served.packed == packed) | (np.isnan(served.packed) & np.isnan(packed)))
    if differs.any():
        column = int(differs.sum(axis=0).argmax())
        return f"the served path reads {names[column]!r} differently in {int(differs[:, column].sum()):,} rows"
    if wrong.all():
        return "every row differs, so no single input is the cause"
    telling = [single_auc(wrong, levels(packed[:, column])) for column in range(len(names))]
    best = int(np.argmax(telling))
    return (
        f"{int(wrong.sum()):,} rows differ; {names[best]!r} tells them from the others best (AUC {telling[best]:.2f})"
    )
