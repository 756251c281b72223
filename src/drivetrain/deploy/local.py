"""The target ``local``: ``drivetrain serve`` on this machine, which reads in the catalog what it is to serve."""

from __future__ import annotations

from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from drivetrain.access.verification import VerifiedRelease
from drivetrain.core.errors import Refused
from drivetrain.core.model import Signature
from drivetrain.core.task import Task
from drivetrain.store.golden import golden_from
from drivetrain.store.models import model_from, open_scorer


class LocalTarget:
    """This machine. There is nothing to copy; what can go wrong is that the model does not run here."""

    def roll_out(self, service: str, release: VerifiedRelease) -> None:
        """Load the model as the server will, and score the golden batch and one typical row.

        Raises InvalidInput when it does not load, Transient when it is code that crashes or hangs, Refused when it
        answers otherwise than when it was validated.
        """
        model = model_from(release.part("model"), str(release.ref))
        typical = np.array([[field.typical for field in model.signature.inputs]], dtype=np.float64)
        with closing(open_scorer(model)) as scorer:
            golden_from(release.part("report"), str(release.ref)).check(scorer.score, str(release.ref))
            score = scorer.score(typical)
        if not _answers(model.signature, score):
            wanted = "number" if model.signature.task is Task.NUMBER else "probability"
            raise Refused(
                "model_does_not_answer",
                f"the model of {release.ref} scores a typical row as {score.tolist()}, which is no {wanted}",
                where=service,
                hint="deploy another release, and validate this one on this machine",
            )


def _answers(signature: Signature, score: NDArray[np.float64]) -> bool:
    """Whether that is a probability, one for each class, or a number, as the task has it."""
    shape = (1, len(signature.classes)) if signature.task is Task.CLASSES else (1,)
    within = signature.task is Task.NUMBER or ((score >= 0) & (score <= 1)).all()
    return bool(score.shape == shape and np.isfinite(score).all() and within)
