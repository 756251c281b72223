"""The target ``local``: ``drivetrain serve`` on this machine, which reads in the catalog what it is to serve."""

from __future__ import annotations

from contextlib import closing

import numpy as np

from drivetrain.access.verification import VerifiedRelease
from drivetrain.core.errors import Refused
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
        number = model.signature.task is Task.NUMBER
        if not (len(score) == 1 and np.isfinite(score).all() and (number or ((score >= 0) & (score <= 1)).all())):
            wanted = "finite number" if number else "probability"
            raise Refused(
                "model_does_not_answer",
                f"the model of {release.ref} scores a typical row as {score.tolist()}, which is no {wanted}",
                where=service,
                hint="deploy another release, and validate this one on this machine",
            )
